"""The flows of the website's toy: small ones, trained and written down.

`python -m implementations.figures.toy FOLDER` trains each kind of flow on each target,
a quarter of an hour on one core, and writes `toy-<target>-<kind>.json`. In the browser,
docs/assets/flows.js evaluates what they hold.

After the training, weights are rounded to steps of 1/1024. What is rounded is the flow:
its gap is measured, and its numbers are those that the browser shows.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from implementations.core.bijection import Bijection, Compose, Univariate
from implementations.core.environment import seed
from implementations.core.fit import fit
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import mlp
from implementations.core.odes import FixedSteps, TimeNetwork
from implementations.core.toy import Checkerboard, Swirl, TwoMoons, eight_gaussians
from implementations.flows_review import Residual
from implementations.made import Autoregressive, MaskedLinear
from implementations.maf import maf
from implementations.neural_ode import Continuous
from implementations.nice import Coupling, Scaling, Shift, nice
from implementations.nsf import Spline
from implementations.real_nvp import Affine, BatchNorm, real_nvp_vector

# The square that is shown reaches this far from its middle.
REACH = 3.2
# Weights are whole multiples of 1/STEPS.
STEPS = 1024
SPLINES, BINS, BOUND = 6, 16, 3.5
ODE_STEPS = 8
# The moons are moved to the middle and enlarged, to fill the square.
MIDDLE_OF_MOONS, LARGER = (0.5, 0.25), 1.5


class Aim(NamedTuple):
    """A density to fit: its samples, and its entropy in nats."""

    draw: Callable[[int], Tensor]
    entropy: float


class Recipe(NamedTuple):
    """A kind of flow, and how it is trained."""

    build: Callable[[], Flow]
    steps: int
    lr: float


def main(folder: Path) -> None:
    """Train all flows and write them, telling how far each is from its target."""
    for target in AIMS:
        for kind in RECIPES:
            start = time.monotonic()
            flow = trained(target, kind)
            nats = gap(target, flow)
            text = encode(target, kind, flow, nats)
            (folder / f"toy-{target}-{kind}.json").write_text(text + "\n", "ascii")
            seconds = time.monotonic() - start
            print(f"  {target}, {kind}: {nats:.3f} nats, {seconds:.0f} s", flush=True)


def swirl() -> Aim:
    """Return the swirl."""
    density = Swirl()
    return Aim(density.sample, density.entropy)


def moons() -> Aim:
    """Return the two moons, in the middle and larger."""
    density, middle = TwoMoons(), torch.tensor(MIDDLE_OF_MOONS)
    return Aim(
        lambda n: LARGER * (density.sample(n) - middle),
        density.entropy + 2 * math.log(LARGER),
    )


def gaussians() -> Aim:
    """Return eight Gaussians on a circle."""
    density = eight_gaussians()
    return Aim(density.sample, density.entropy)


def checkerboard() -> Aim:
    """Return the checkerboard."""
    density = Checkerboard()
    return Aim(density.sample, density.entropy)


AIMS = {
    "swirl": swirl,
    "moons": moons,
    "gaussians": gaussians,
    "checkerboard": checkerboard,
}


def spline() -> Flow:
    """Build a Gaussian seen through splines that couplings steer."""
    m = partial(mlp, hidden=(48, 48))
    layers = [Coupling(2, Spline(BINS, BOUND), m, k % 2 == 1) for k in range(SPLINES)]
    return Flow(StandardNormal((2,)), Compose(*layers))


def residual() -> Flow:
    """Build a residual flow."""
    return Flow(StandardNormal((2,)), Compose(*(Residual(2) for _ in range(8))))


def continuous() -> Flow:
    """Build a continuous flow."""
    return Flow(StandardNormal((2,)), Continuous(TimeNetwork(2), FixedSteps(ODE_STEPS)))


SMALL = (40, 40)
RECIPES = {
    "spline": Recipe(spline, 4000, 2e-3),
    "affine": Recipe(partial(real_nvp_vector, 2, 8, SMALL), 3000, 3e-3),
    "additive": Recipe(partial(nice, 2, 8, (24, 24), StandardNormal), 2000, 3e-3),
    "autoregressive": Recipe(partial(maf, 2, 8, SMALL), 3000, 3e-3),
    "residual": Recipe(residual, 1500, 1e-2),
    "continuous": Recipe(continuous, 900, 1e-2),
}


def trained(target: str, kind: str) -> Flow:
    """Fit a flow of this kind to the target, and round its weights."""
    seed()
    aim, recipe = AIMS[target](), RECIPES[kind]
    flow = recipe.build()
    fit(
        flow,
        lambda x: -flow.log_prob(x).mean(),
        recipe.steps,
        partial(aim.draw, 512),
        lr=recipe.lr,
        clip=10,
    )
    for layer in layers_of(flow):
        round_off(layer)
    return flow


@torch.no_grad()
def gap(target: str, flow: Flow, n: int = 50_000) -> float:
    """KL(target ‖ flow) in nats, estimated on n fresh points."""
    aim = AIMS[target]()
    return -flow.log_prob(aim.draw(n)).double().mean().item() - aim.entropy


def layers_of(flow: Flow) -> list[Bijection]:
    """Return the flow's layers, the one next to the data first."""
    f = flow.bijection
    return list(f.layers) if isinstance(f, Compose) else [f]


def weights(layer: Bijection) -> list[Tensor]:
    """Return what a layer has learned, in the order in which it is written."""
    own: list[Tensor] = []
    match layer:
        case BatchNorm():
            own = [layer.mean, layer.var]
        case Scaling():
            own = [layer.s]
        case Residual():
            own = list(layer.g.log_beta)
        case Coupling() | Autoregressive():
            own = list(layer.univariate.parameters())
    return own + [w for each in dense(layer) for w in (each.weight, each.bias)]


def dense(layer: Bijection) -> list[nn.Linear]:
    """Return the dense layers of a layer's network, from the input on."""
    return [each for each in layer.modules() if isinstance(each, nn.Linear)]


@torch.no_grad()
def round_off(layer: Bijection) -> None:
    """Round weights to whole steps; those that a mask hides become 0."""
    for each in dense(layer):
        if isinstance(each, MaskedLinear):
            each.weight.copy_(each.masked(0))
    for each in weights(layer):
        each.copy_((each * STEPS).round() / STEPS)


def describe(layer: Bijection) -> dict[str, Any]:
    """Return what the browser must know of a layer beside its weights."""
    widths = [each.out_features for each in dense(layer)]
    network = {"widths": [dense(layer)[0].in_features, *widths]} if widths else {}
    match layer:
        case Coupling():
            own = {"kind": "coupling", "kept": layer.kept}
            return own | describe_map(layer.univariate) | network
        case Autoregressive():
            first = int(layer.m.place[0].argmin())
            own = {"kind": "autoregressive", "first": first}
            return own | describe_map(layer.univariate) | network
        case BatchNorm():
            return {"kind": "normalise", "eps": layer.eps}
        case Scaling():
            return {"kind": "scale"}
        case Residual():
            return {"kind": "residual", "shrink": shrinkage(layer)} | network
        case Continuous():
            return {"kind": "continuous", "steps": ODE_STEPS} | network
    raise TypeError(f"describe: expected a layer of the toy, got {layer}")


def describe_map(univariate: Univariate) -> dict[str, Any]:
    """Return which map of one number a network steers."""
    match univariate:
        case Shift():
            return {"map": "shift"}
        case Affine():
            return {"map": "affine"}
        case Spline():
            return {"map": "spline", "bound": univariate.bound}
    raise TypeError(f"describe_map: expected a map of the toy, got {univariate}")


@torch.no_grad()
def shrinkage(layer: Residual) -> list[float]:
    """min(1, c/σ(W)) for each W of the contraction: the browser has no σ."""
    weights = [each.weight.double() for each in dense(layer)]
    norms = [torch.linalg.matrix_norm(weight, 2).item() for weight in weights]
    return [min(1.0, layer.g.c / norm) for norm in norms]


def encode(target: str, kind: str, flow: Flow, nats: float) -> str:
    """Write a flow whose weights are rounded, and how far it is from its target."""
    layers = layers_of(flow)
    numbers = [w.detach().flatten() for layer in layers for w in weights(layer)]
    return json.dumps(
        {
            "target": target,
            "flow": kind,
            "gap": round(nats, 3),
            "layers": [describe(layer) for layer in layers],
            "steps": STEPS,
            "weights": (torch.cat(numbers).double() * STEPS).int().tolist(),
        },
        separators=(",", ":"),
    )


@torch.no_grad()
def decode(text: str) -> Flow:
    """Read a flow that `encode` wrote, in evaluation mode."""
    written = json.loads(text)
    flow = RECIPES[written["flow"]].build().eval()
    wanted = [w for layer in layers_of(flow) for w in weights(layer)]
    numbers = torch.tensor(written["weights"]).double() / written["steps"]
    parts = numbers.split([w.numel() for w in wanted])
    for w, part in zip(wanted, parts, strict=True):
        w.copy_(part.view_as(w))
    return flow


# %%
if __name__ == "__main__":
    main(Path(sys.argv[1]))
