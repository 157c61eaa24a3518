"""Outcomes of an examination, and the models and points that it works with."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from nflows.transforms import InverseNotAvailable
from torch import Tensor

from benchmarks.exactness.subjects import Subject
from benchmarks.libraries.model import FlowModel
from implementations.core.bijection import Shape
from scripts.results.forms import Verdict

POINTS = 32
# Relative errors that are forgiven: in float64, in float32, of solvers.
EXACT, EXACT32, SOLVED = 1e-9, 1e-3, 1e-3


@dataclass(frozen=True)
class Outcome:
    """A short word or number to show, and what it amounts to."""

    shown: str
    verdict: Verdict


@dataclass(frozen=True)
class Check:
    """One question: what the table's head says, what is done, and when it is kept."""

    name: str
    head: str
    asks: str
    run: Callable[[Subject], Outcome]


class Missing(Exception):
    """There is nothing to examine: the flow has no such dimension, or direction."""


def kept(shown: str) -> Outcome:
    """All is as it should be."""
    return Outcome(shown, "kept")


def fails(shown: str) -> Outcome:
    """Something is wrong, and nothing says so."""
    return Outcome(shown, "fails")


def error(value: float, most: float) -> Outcome:
    """An error, which may be as large as `most`."""
    if not math.isfinite(value):
        return fails("not finite")
    shown = f"{value:.0e}" if value else "0"
    return Outcome(shown, "kept" if value <= most else "fails")


def raised(problem: Exception) -> Outcome:
    """An exception: what the library says of itself, or what escaped from it."""
    if isinstance(problem, Missing | NotImplementedError | InverseNotAvailable):
        return Outcome("–", "absent")
    return Outcome(f"raises {type(problem).__name__}", "stops")


def points(shape: Shape, n: int = POINTS, seed: int = 1) -> Tensor:
    """Draw n events, twice as wide as the noise, in float64."""
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(n, *shape, generator=generator, dtype=torch.float64)


def model(
    subject: Subject,
    dim: int | None = None,
    layers: int | None = None,
    spread: float = 0.3,
    context: int = 0,
    seed: int = 0,
) -> FlowModel:
    """Build the subject in float64, its parameters moved away from their start.

    `spread` is the noise's deviation, less in wide layers, whose outputs stay as large.
    What depends on a first batch is set by one, as in training.
    """
    dim = subject.dim if dim is None else dim
    if dim < subject.least:
        raise Missing
    torch.manual_seed(seed)
    built = subject.build(dim, subject.layers if layers is None else layers, context)
    built = built.double()
    perturb(built, spread)
    given = points((context,), seed=5) if context else None
    built.prepare(points(subject.shape(dim), seed=4), given)
    return built.eval()


@torch.no_grad()
def perturb(built: FlowModel, spread: float) -> None:
    """Add noise to every parameter, less to those of wide layers."""
    for parameter in built.parameters():
        if parameter.is_floating_point():
            fan_in = max(1, parameter.shape[1:].numel())
            parameter.add_(torch.randn_like(parameter), alpha=spread / fan_in**0.5)


def in_float32(built: FlowModel) -> FlowModel:
    """Return a copy in float32."""
    return copy.deepcopy(built).float()


def relative(actual: Tensor, expected: Tensor) -> float:
    """Return the largest difference, relative to 1 + |expected|."""
    expected = expected.detach().double()
    difference = (actual.detach().double() - expected).abs() / (1 + expected.abs())
    return difference.max().item()


def integrate(built: FlowModel, shape: Shape, n: int) -> float:
    """Integrate the density by quadrature on a grid of n points along each axis.

    The grid reaches ten times as far as samples, which are drawn in float32, and is
    densest at their median, by a hyperbolic sine: flows may have narrow middles and
    long tails.
    """
    samples = in_float32(built).sample(2000).flatten(1).double()
    axes = [_axis(sample, n) for sample in samples.T]
    grid = torch.cartesian_prod(*(x for x, _ in axes)).reshape(-1, *shape)
    weights = torch.cartesian_prod(*(w for _, w in axes)).reshape(len(grid), -1).prod(1)
    with torch.no_grad():
        density = [built.log_prob(part).exp() for part in grid.split(50_000)]
    return torch.dot(torch.cat(density), weights).item()


def _axis(sample: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Return n points along an axis, and the width that each stands for."""
    low, median, high = sample.quantile(sample.new_tensor([0.25, 0.5, 0.75]))
    reach = 10 * (sample - median).abs().max()
    bend = (reach / (high - low)).asinh()
    t = torch.linspace(-1, 1, n).double()
    x = median + (high - low) * (bend * t).sinh()
    return x, (high - low) * bend * (bend * t).cosh() * 2 / (n - 1)


def most(subject: Subject, dtype: torch.dtype) -> float:
    """Return the relative error that the subject may have."""
    exact = EXACT if dtype == torch.float64 else EXACT32
    return max(exact, SOLVED) if subject.approximate else exact


def name_of(dtype: torch.dtype) -> str:
    """Return a dtype's name as people say it."""
    return str(dtype).removeprefix("torch.")
