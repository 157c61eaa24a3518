"""Every bijection and flow, as one line each: what test_contract.py runs through."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from implementations.core.bijection import Bijection, Compose, Inverse
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import mlp
from implementations.core.reversible import Reversible
from implementations.flows_review import Continuous, Residual, rk4
from implementations.glow import (
    LU,
    ActNorm,
    ChannelCoupling,
    Conv1x1,
    Gate,
    glow,
    network,
    reverse,
    shuffle,
)
from implementations.gnf import HalfStep, Mirror, gnf
from implementations.iaf import Gated, iaf
from implementations.made import Autoregressive
from implementations.maf import maf, maf_mog
from implementations.mnf import MNF, MeanFieldLinear, Normal
from implementations.nice import Coupling, Scaling, Shift, nice
from implementations.nsf import (
    Linear,
    Spline,
    nsf,
    nsf_autoregressive,
)
from implementations.real_nvp import (
    Affine,
    BatchNorm,
    MaskedCoupling,
    checkerboard,
    real_nvp,
    real_nvp_vector,
    resnet,
)
from implementations.vi_flows import Diagonal, Planar, Radial, vi_flows

BATCH = 7
# Where flows and events are put: DEVICE=cuda asks the contract of a GPU.
DEVICE = os.environ.get("DEVICE")


@dataclass(frozen=True)
class Case:
    """A flow's builder, and how well it keeps the contract.

    `exempt` maps a promise that it cannot keep (the name of the test, without `test_`)
    to the reason; the site shows it.
    """

    build: Callable[[], Bijection | Flow]
    float64: float = 1e-10
    float32: float = 1e-4
    exempt: Mapping[str, str] = field(default_factory=dict)

    def start(self) -> Flow:
        """Build the flow as its user has it before training."""
        # On the CPU first, so that the numbers are the same everywhere.
        with torch.device("cpu") if DEVICE else nullcontext():
            built = self.build()
        if isinstance(built, Bijection):
            built = Flow(StandardNormal(built.z_shape), built)
        return built.eval()

    def flow(self, seed: int = 0, spread: float = 0.3) -> Flow:
        """Build the flow in float64, its parameters moved away from their start."""
        torch.manual_seed(seed)
        built = self.start().double()
        with torch.no_grad():
            for parameter in built.parameters():
                # Wider layers take smaller weights for outputs of the same size.
                fan_in = max(1, parameter.shape[1:].numel())
                scale = spread / fan_in**0.5
                parameter.add_(torch.randn_like(parameter), alpha=scale)
        return built.to(DEVICE) if DEVICE else built


def batch(flow: Flow, n: int = BATCH, seed: int = 1) -> tuple[Tensor, Tensor | None]:
    """Return n events and the contexts for them, if the flow takes any."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        drawn = torch.randn(
            n, *shape, generator=generator, dtype=torch.float64, device="cpu"
        )
        return drawn.to(DEVICE) if DEVICE else drawn

    context = draw(flow.context) if flow.context else None
    return 2 * draw(*flow.bijection.x_shape), context


small = partial(mlp, hidden=(8, 8))


@torch.no_grad()
def used(flow: Flow) -> Flow:
    """Return the flow after two batches of training, with statistics of its own."""
    for size in (1, 2):
        flow.bijection(size * torch.randn(50, *flow.bijection.x_shape) + 1)
    return flow


UNBOUNDED = {
    "huge_inputs_stay_finite": "the mixture's scales are exp(α), with any α: at 1e4 "
    "they may overflow"
}

DERIVED = {
    "exports_with_an_open_batch": "the log-determinant takes derivatives of a network, "
    "which torch.export does not trace"
}

TORCHDIFFEQ = {
    **DERIVED,
    "log_det_is_that_of_the_jacobian": "torchdiffeq writes in place, which vmap cannot "
    "follow; the same field with a solver without writes is another case",
    "vmap_of_gradient": "torchdiffeq writes in place, which vmap cannot follow",
    "compiles_without_graph_breaks": "torchdiffeq compares times, which are tensors",
    "never_looks_at_values": "torchdiffeq compares times, which are tensors",
}


def six_steps(
    change: Callable[[Tensor, Tensor], Tensor], state: Tensor, times: Tensor
) -> Tensor:
    """RK4 as torchdiffeq has it, by the 3/8 rule, without comparing or writing."""
    t, h = times[0], (times[1] - times[0]) / 6
    for k in range(6):
        a = change(t + k * h, state)
        b = change(t + (k + 1 / 3) * h, state + h * a / 3)
        c = change(t + (k + 2 / 3) * h, state + h * (b - a / 3))
        d = change(t + (k + 1) * h, state + h * (a - b + c))
        state = state + h * (a + 3 * (b + c) + d) / 8
    return state[None]


COUNTED = {
    "context_matters": "the context is a number of nodes: of -2 or -1 there are none",
    "nan_row_stays_alone": "of no nodes the density is 1, whatever the rows hold",
}
CONTRACTS = {
    "deep_stack": "a gate only contracts, σ = 0.88 at first: a hundred flows of "
    "several lose more than float64 holds"
}

UNASKED: dict[str, str] = {
    "ConditionalCDF": "its noise fills a cube; tests/papers/test_flows_review.py",
    "Logit": "takes events from 0 to 1; tests/papers/test_real_nvp.py",
}
"""Bijections that are no map of all numbers → why, and where they are asked instead."""

CASES: dict[str, Case] = {
    "scaling": Case(lambda: Scaling(5)),
    "additive coupling": Case(lambda: Coupling(4, Shift(), small)),
    "additive coupling, swapped, odd": Case(
        lambda: Coupling(5, Shift(), small, swap=True)
    ),
    "additive coupling, conditional": Case(
        lambda: Coupling(3, Shift(), small, context=2)
    ),
    "compose": Case(lambda: Compose(Coupling(3, Shift(), small), Scaling(3))),
    "inverse": Case(
        lambda: Inverse(Compose(Coupling(3, Shift(), small, context=2), Scaling(3)))
    ),
    "reversible": Case(
        lambda: Reversible(Coupling(3, Affine(), small, context=2), Linear(3))
    ),
    "nice, 1-d": Case(lambda: nice(1, hidden=(8, 8))),
    "nice, 2-d": Case(lambda: nice(2, hidden=(8, 8))),
    "nice, 2-d, gaussian": Case(lambda: nice(2, hidden=(8, 8), base=StandardNormal)),
    "nice, 2-d, conditional": Case(lambda: nice(2, hidden=(8, 8), context=3)),
    "nice, 5-d": Case(lambda: nice(5, hidden=(8, 8))),
    "autoregressive shift": Case(lambda: Autoregressive(4, Shift(), (8, 8))),
    "autoregressive shift, no hidden layers": Case(
        lambda: Autoregressive(4, Shift(), ())
    ),
    "autoregressive shift, more components than units": Case(
        lambda: Autoregressive(7, Shift(), (3, 4))
    ),
    "autoregressive shift, in another order": Case(
        lambda: Autoregressive(4, Shift(), (9, 7), order=(2, 0, 3, 1))
    ),
    "autoregressive shift, conditional": Case(
        lambda: Autoregressive(2, Shift(), (8, 8), order=(1, 0), context=3)
    ),
    "autoregressive shift, 1-d": Case(lambda: Autoregressive(1, Shift(), (4,))),
    "autoregressive shift, 1-d, conditional": Case(
        lambda: Autoregressive(1, Shift(), (4,), context=2)
    ),
    "autoregressive, inverted": Case(
        lambda: Inverse(Autoregressive(3, Shift(), (8, 8), context=2))
    ),
    "spline coupling": Case(lambda: Coupling(4, Spline(5), small)),
    "spline coupling, wide": Case(lambda: Coupling(3, Spline(12, 6.0), small)),
    "linear": Case(lambda: Linear(4)),
    "autoregressive spline": Case(lambda: Autoregressive(4, Spline(5), (8, 8))),
    "nsf, 1-d": Case(lambda: nsf(1, 2, (8, 8), bins=4)),
    "nsf, 1-d, conditional": Case(lambda: nsf(1, 2, (8, 8), bins=4, context=3)),
    "nsf, 2-d": Case(lambda: nsf(2, 2, (8, 8), bins=4)),
    "nsf, 2-d, conditional": Case(lambda: nsf(2, 2, (8, 8), bins=4, context=3)),
    "nsf, 5-d": Case(lambda: nsf(5, 2, (8, 8), bins=4)),
    "nsf autoregressive, 2-d": Case(lambda: nsf_autoregressive(2, 2, (8, 8), 4)),
    "nsf autoregressive, 5-d, conditional": Case(
        lambda: nsf_autoregressive(5, 2, (8, 8), bins=4, context=2)
    ),
    "affine coupling": Case(lambda: Coupling(4, Affine(), small)),
    "affine coupling, conditional": Case(
        lambda: Coupling(3, Affine(), small, swap=True, context=2)
    ),
    "masked coupling": Case(
        lambda: MaskedCoupling(checkerboard((2, 4, 2)), Affine(), resnet(2, 4, 4, 1))
    ),
    "batch normalisation": Case(
        lambda: used(
            Flow(
                StandardNormal((3,)),
                Compose(Coupling(3, Affine(), small), BatchNorm((3,))),
            )
        )
    ),
    "real_nvp, 1×8×8": Case(lambda: used(real_nvp((1, 8, 8), maps=2, blocks=1))),
    "real_nvp_vector, 1-d": Case(lambda: real_nvp_vector(1, 4, (8, 8))),
    "real_nvp_vector, 2-d": Case(lambda: real_nvp_vector(2, 4, (8, 8))),
    "real_nvp_vector, 2-d, conditional": Case(
        lambda: real_nvp_vector(2, 4, (8, 8), context=3)
    ),
    "real_nvp_vector, 5-d": Case(lambda: real_nvp_vector(5, 4, (8, 8))),
    "maf, 1-d": Case(lambda: maf(1, 2, (8, 8))),
    "maf, 2-d": Case(lambda: maf(2, 5, (8, 8))),
    "maf, 5-d": Case(lambda: maf(5, 3, (8, 8))),
    "maf, 2-d, conditional": Case(lambda: maf(2, 2, (8, 8), context=3)),
    "maf_mog, 2-d": Case(lambda: maf_mog(2, 2, 3, (8, 8)), exempt=UNBOUNDED),
    "maf_mog, 2-d, conditional": Case(
        lambda: maf_mog(2, 2, 3, (8, 8), context=3), exempt=UNBOUNDED
    ),
    "actnorm": Case(lambda: ActNorm((3, 2, 4))),
    "1×1 convolution": Case(lambda: Conv1x1((3, 2, 4))),
    "1×1 convolution, LU": Case(lambda: Conv1x1((3, 2, 4), LU)),
    "channels reversed": Case(lambda: Compose(reverse((3, 2, 2)), ActNorm((3, 2, 2)))),
    "channel coupling, odd": Case(
        lambda: ChannelCoupling((3, 2, 4), Affine(), partial(network, width=6))
    ),
    "channel coupling, gated": Case(
        lambda: ChannelCoupling((2, 4, 2), Gate(), partial(network, width=6))
    ),
    "glow, 1×4×4": Case(lambda: glow((1, 4, 4), 2, 1, 6)),
    "glow, 1×2×2, one level, LU": Case(
        lambda: glow((1, 2, 2), 1, 2, 6, mix=partial(Conv1x1, matrix=LU))
    ),
    "glow, 1×4×4, conditional, gated, shuffled": Case(
        lambda: glow((1, 4, 4), 2, 2, 6, Gate, shuffle, context=3)
    ),
    "planar": Case(lambda: Planar(3)),
    "planar, amortised": Case(lambda: Planar(2, context=3)),
    "planar, 1-d": Case(lambda: Planar(1)),
    "radial": Case(lambda: Radial(3)),
    "radial, amortised": Case(lambda: Radial(2, context=3)),
    "radial, 1-d": Case(lambda: Radial(1)),
    "diagonal, amortised": Case(lambda: Diagonal(2, context=3)),
    "vi_flows, 2-d": Case(lambda: vi_flows(2, 2)),
    "vi_flows, 2-d, amortised": Case(lambda: vi_flows(2, 2, context=3)),
    "vi_flows, 5-d, radial": Case(lambda: vi_flows(5, 4, Radial)),
    "residual": Case(lambda: Residual(3, (8, 8), 0.5, tolerance=1e-12), exempt=DERIVED),
    "residual, 2-d, nearly 1": Case(
        lambda: Residual(2, (8,), 0.9, tolerance=1e-12), exempt=DERIVED
    ),
    "residual, 1-d": Case(
        lambda: Residual(1, (8,), 0.5, tolerance=1e-12), exempt=DERIVED
    ),
    # Both directions, and both determinants, agree as far as six steps are exact.
    "continuous, solver without writes": Case(
        lambda: Continuous(2, (8,), six_steps), float64=1e-5, exempt=DERIVED
    ),
    "continuous, 3-d, solver without writes": Case(
        lambda: Continuous(3, (8, 8), six_steps), float64=1e-5, exempt=DERIVED
    ),
    "continuous, 3-d, torchdiffeq": Case(
        lambda: Continuous(3, (8, 8), rk4(6)), float64=1e-5, exempt=TORCHDIFFEQ
    ),
    "gated coupling": Case(lambda: Coupling(5, Gated(), small)),
    "diagonal Gaussian": Case(lambda: Normal(3, 1.0)),
    "diagonal Gaussian, conditional": Case(lambda: Normal(3, 1.0, context=2)),
    "q(z) of mnf, 2-d": Case(lambda: MNF(MeanFieldLinear(2, 3), 2, 8).q),
    "r(z | W) of mnf, 2-d": Case(lambda: MNF(MeanFieldLinear(2, 3), 2, 8).r),
    "q(z) of mnf, 1-d": Case(lambda: MNF(MeanFieldLinear(1, 3), 2, 8).q),
    "gnf half-step": Case(lambda: HalfStep(4, 3, 8, swap=False)),
    "gnf half-step, swapped": Case(lambda: HalfStep(3, 5, 8, swap=True)),
    "gnf mirror": Case(lambda: Mirror(3, 4)),
    "gnf, 4 nodes of 2 features": Case(lambda: gnf(4, 2, 2, 8)),
    "gnf, 1 node": Case(lambda: gnf(1, 3, 2, 8)),
    "gnf, up to 4 nodes": Case(lambda: gnf(4, 4, 2, 8, sized=True), exempt=COUNTED),
    "gated autoregressive, conditional": Case(
        lambda: Autoregressive(3, Gated(), (8, 8), context=2)
    ),
    "iaf, 1-d": Case(lambda: iaf(1, 2, (8, 8))),
    "iaf, 2-d": Case(lambda: iaf(2, 2, (8, 8)), exempt=CONTRACTS),
    "iaf, 2-d, conditional": Case(
        lambda: iaf(2, 2, (8, 8), context=3), exempt=CONTRACTS
    ),
    "iaf, 5-d": Case(lambda: iaf(5, 3, (8, 8)), exempt=CONTRACTS),
}
