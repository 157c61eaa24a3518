"""Univariate maps in one layer each, on one conditioner: ours and zuko's.

`python -m benchmarks.univariate` trains each map with the same budget and as many
parameters, over three seeds on two densities of the plane, and writes
benchmarks/results/univariate.json. About twenty minutes on a quiet machine. Flows
without a conditioner (BNAF, Gaussianization) stand beside them as they are.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from statistics import median
from typing import NamedTuple, cast

import torch
import zuko
from torch import Tensor

from benchmarks.command import FOLDER, Command, say, write
from benchmarks.libraries.defaults import as_large
from benchmarks.libraries.model import BINS, BOUND, FlowModel
from benchmarks.libraries.ours import Ours
from benchmarks.libraries.zuko import SPLINE, Zuko
from benchmarks.machine import head
from benchmarks.speed.tasks import tasks
from benchmarks.speed.timing import interleaved, rounded
from implementations.bnaf import bnaf
from implementations.core.bijection import Bijection, Univariate
from implementations.core.fit import fit
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import size
from implementations.core.toy import Toy, TwoMoons, eight_gaussians, kl_to
from implementations.gaussianization import gaussianization
from implementations.made import Autoregressive
from implementations.naf import Sigmoidal
from implementations.nsf import Spline
from implementations.real_nvp import Affine
from implementations.sos import SumOfSquares
from implementations.umnn import MonotonicNetwork
from scripts.results.univariate import MapTrained, UnivariateMaps

RESULTS = FOLDER / "univariate.json"
TARGETS: Mapping[str, Callable[[], Toy]] = {
    "eight Gaussians": eight_gaussians,
    "two moons": TwoMoons,
}
# What zuko's default networks for NAF and UNAF leave room for.
PARAMETERS = 20_000
# Of Gaussianization flows.
GF_LAYERS, ANCHORS = 5, 20
BATCH, RATE, CLIP = 256, 5e-3, 5.0
POINTS = 1000


class UnivariatePlan(NamedTuple):
    """The steps of a training, the seeds, and how often a call is timed."""

    steps: int = 600
    seeds: int = 3
    repeats: int = 7


FULL = UnivariatePlan()
QUICK = UnivariatePlan(10, 1, 1)


class Contestant(NamedTuple):
    """One library's flow with one map; `build` takes the width of its network.

    A whole flow has no conditioner. One of several layers is built as it is, the others
    as wide as they must be to have PARAMETERS.
    """

    paper: str
    name: str
    library: str
    build: Callable[[int], FlowModel]
    whole: bool = False
    layers: int = 1

    def built(self) -> FlowModel:
        """Build it with as many parameters as all have, or as it is."""
        return self.build(0) if self.layers > 1 else as_large(self.build, PARAMETERS)


def one_layer(univariate: Callable[[], Univariate], width: int) -> Ours:
    """Build one autoregressive layer of ours."""
    return of(Autoregressive(2, univariate(), (width, width)))


def of(bijection: Bijection) -> Ours:
    """Put a bijection of ours before a standard normal."""
    return Ours(Flow(StandardNormal((2,)), bijection))


def zuko_s(build: Callable[..., zuko.flows.Flow], width: int) -> Zuko:
    """Build one autoregressive layer of zuko's."""
    return Zuko(build(2, transforms=1, hidden_features=(width, width)))


def ours(paper: str, name: str, univariate: Callable[[], Univariate]) -> Contestant:
    """A map of ours on our conditioner."""
    return Contestant(paper, name, "ours", partial(one_layer, univariate))


def theirs(paper: str, name: str, build: Callable[..., zuko.flows.Flow]) -> Contestant:
    """A map of zuko's on its conditioner."""
    return Contestant(paper, name, "zuko", partial(zuko_s, build))


def whole(
    paper: str,
    name: str,
    library: str,
    build: Callable[[int], FlowModel],
    layers: int = 1,
) -> Contestant:
    """A flow that has no conditioner."""
    return Contestant(paper, name, library, build, True, layers)


def one_network(width: int) -> Bijection:
    """BNAF: one network of two hidden layers."""
    return bnaf(2, 1, (width, width)).bijection


def kernels() -> Bijection:
    """Build our Gaussianization flow."""
    return gaussianization(2, GF_LAYERS, ANCHORS).bijection


def zuko_s_kernels() -> Zuko:
    """Build zuko's Gaussianization flow, with as many kernels."""
    return Zuko(zuko.flows.GF(2, transforms=GF_LAYERS, components=ANCHORS))


CONTESTANTS = (
    ours("maf", "Affine", Affine),
    theirs("maf", "Affine", zuko.flows.MAF),
    ours("nsf", "Spline", partial(Spline, BINS, BOUND)),
    theirs("nsf", "Spline", partial(zuko.flows.MAF, **SPLINE)),
    ours("naf", "NAF", Sigmoidal),
    theirs("naf", "NAF", zuko.flows.NAF),
    ours("sos", "SOS", partial(SumOfSquares, 5, 4)),
    theirs("sos", "SOS", partial(zuko.flows.SOSPF, degree=4, polynomials=5)),
    ours("umnn", "UMNN", partial(MonotonicNetwork, 16, (64, 64))),
    theirs("umnn", "UMNN", zuko.flows.UNAF),
    whole("bnaf", "BNAF", "ours", lambda width: of(one_network(width))),
    whole("gaussianization", "GF", "ours", lambda _: of(kernels()), GF_LAYERS),
    whole("gaussianization", "GF", "zuko", lambda _: zuko_s_kernels(), GF_LAYERS),
)


def trained(flow: Contestant, target: Toy, seed: int, steps: int) -> FlowModel | None:
    """Train once on fresh samples; None where a loss or a gradient is not finite."""
    torch.manual_seed(seed)
    model = flow.built()
    model.prepare(target.sample(BATCH))

    def loss(x: Tensor) -> Tensor:
        return -model.log_prob(x).mean()

    try:
        fit(model, loss, steps, partial(target.sample, BATCH), lr=RATE, clip=CLIP)
    except FloatingPointError as error:
        say(f"{flow.name} of {flow.library}: {error}")
        return None
    return model.eval()


@torch.no_grad()
def round_trip(model: FlowModel, x: Tensor) -> float:
    """Largest |f⁻¹(f(x)) - x|, in float32."""
    return (model.generate(model.normalise(x)[0])[0] - x).abs().max().item()


def log_det_error(model: FlowModel, x: Tensor) -> float:
    """Largest distance of the log-determinant from autograd's, in float64."""
    model, x = deepcopy(model).double(), x.double().requires_grad_()
    z, log_det = model.normalise(x)
    # Rows do not mix, so the slope of a sum has that of each row.
    slopes = [torch.autograd.grad(column.sum(), x, retain_graph=True) for column in z.T]
    exact = torch.linalg.slogdet(torch.stack([s for (s,) in slopes], 1)).logabsdet
    return (log_det - exact).abs().max().item()


def finite(value: float, digits: int = 4) -> float | None:
    """Round to so many digits; None for what is not finite."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def worst(values: Sequence[float]) -> float | None:
    """Return the largest; None where one is not finite, or where there is none."""
    return finite(torch.tensor([*values]).max().item(), 2) if values else None


def measured(flow: Contestant, plan: UnivariatePlan) -> MapTrained:
    """Train on all targets over the seeds, and measure what has come of it."""
    gaps: dict[str, tuple[float | None, ...]] = {}
    trips: list[float] = []
    errors: list[float] = []
    for name, build in TARGETS.items():
        target, of_seeds = build(), []
        for seed in range(plan.seeds):
            model = trained(flow, target, seed, plan.steps)
            if model is None:
                of_seeds.append(None)
            else:
                # It asks a flow for its log-density alone.
                of_seeds.append(finite(kl_to(target, cast(Flow, model))))
                x = target.sample(POINTS)
                trips.append(round_trip(model, x))
                errors.append(log_det_error(model, x[:100]))
        gaps[name] = tuple(of_seeds)
    torch.manual_seed(0)
    model, x = flow.built(), eight_gaussians().sample(BATCH)
    model.prepare(x)
    parameters = size(model)
    runs = tasks(model, x)
    seconds = interleaved(
        {task: runs[task] for task in ("training_step", "sample")}, plan.repeats
    )
    return MapTrained(
        paper=flow.paper,
        name=flow.name,
        library=flow.library,
        whole=flow.whole,
        layers=flow.layers,
        parameters=parameters,
        gaps=gaps,
        train=rounded(seconds["training_step"]),
        sample=rounded(seconds["sample"]),
        round_trip=worst(trips),
        log_det=worst(errors),
    )


def told(row: MapTrained) -> str:
    """Say on one line what came of a flow."""
    gaps = ", ".join(
        f"{name} {median(found):.3f}"
        for name, values in row.gaps.items()
        if (found := [value for value in values if value is not None])
    )
    return (
        f"{row.name:12} {row.library:5} {gaps} nats, {1e3 * median(row.train):.1f} ms"
        f" a step, {1e3 * median(row.sample):.1f} ms to sample"
    )


def measure(plan: UnivariatePlan) -> UnivariateMaps:
    """Train all; tell how far it is on stderr."""
    torch.set_num_threads(1)
    rows = []
    for number, flow in enumerate(CONTESTANTS, 1):
        say(f"[{number}/{len(CONTESTANTS)}] {flow.name} of {flow.library}")
        rows.append(measured(flow, plan))
        print(told(rows[-1]), flush=True)
    return UnivariateMaps(
        **head("zuko"),
        steps=plan.steps,
        batch=BATCH,
        rate=RATE,
        parameters=PARAMETERS,
        targets=tuple(TARGETS),
        flows=tuple(rows),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, print and write."""
    command = Command(
        RESULTS,
        "Train univariate maps of ours and of zuko, a layer each, on one conditioner. "
        "Takes twenty minutes.",
        quick="a few steps of one seed",
    )
    args = command.parse(arguments)
    write(measure(QUICK if args.quick else FULL), args.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
