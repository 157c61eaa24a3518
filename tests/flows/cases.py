"""Every bijection and flow of ours, and how the contract builds it.

What it builds stands in each paper's registration: implementations/registrations/.
"""

from __future__ import annotations

import os
from contextlib import nullcontext

import torch
from torch import Tensor

from implementations.core.bijection import Bijection
from implementations.core.flow import Flow, StandardNormal
from implementations.core.spaces import space_of
from implementations.registrations import Case, registrations

BATCH = 7
# Where flows and events are put: DEVICE=cuda asks the contract of a GPU.
DEVICE = os.environ.get("DEVICE")

CASES: dict[str, Case] = {
    name: case
    for registration in registrations().values()
    for name, case in registration.cases.items()
}


def start(case: Case) -> Flow:
    """Build the flow as its user has it before training."""
    # On the CPU first, so that the numbers are the same everywhere.
    with torch.device("cpu") if DEVICE else nullcontext():
        built = case.build()
    if isinstance(built, Bijection):
        built = Flow(StandardNormal(built.z_shape), built)
    return built.eval()


def perturbed(case: Case, seed: int = 0, spread: float = 0.3) -> Flow:
    """Build the flow in float64, its parameters moved away from their start."""
    torch.manual_seed(seed)
    built = start(case).double()
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
    context = _draw(generator, n, flow.context) if flow.context else None
    free = 2 * _draw(generator, n, *flow.bijection.x_shape)
    return space_of(flow.base).points(free), context


def noise(flow: Flow, seed: int = 2) -> Tensor:
    """Return events of the space of the flow's base, in float64."""
    generator = torch.Generator().manual_seed(seed)
    free = _draw(generator, BATCH, *flow.bijection.z_shape)
    return space_of(flow.base).points(free)


def _draw(generator: torch.Generator, *shape: int) -> Tensor:
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu")
    return drawn.to(DEVICE) if DEVICE else drawn
