"""Inverses of increasing maps that have no formula for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from implementations.core.bijection import Mapped, Univariate

# An increasing map of each number, which also gives the logarithm of its slope.
Increasing = Callable[[Tensor], Mapped]

# Where a root is looked for, if its map knows no better: from -REACH to REACH.
REACH = 1e9
STEPS = 32
# The least log-slope that Newton's steps divide by: 0/0 is no step.
FLAT = -80


def find_root(
    g: Increasing,
    y: Tensor,
    low: Tensor | float = -REACH,
    high: Tensor | float = REACH,
    steps: int = STEPS,
) -> Mapped:
    """x from `low` to `high` with g(x) = y, and the log-slope of g⁻¹ at y.

    Both have the shape of y, and first and second derivatives, by the implicit function
    theorem. Each number takes as many steps, so none waits for another. Where y is
    beyond g(low) or g(high), x is that end.
    """
    x = _search(g, y, low, high, steps).detach()
    for _ in range(2):
        value, log_slope = g(x)
        missed = y - value
        # A step of Newton's method for its derivatives; x itself is found already.
        x = x + (missed - missed.detach()) * (-log_slope.clamp(min=FLAT)).exp()
    return x, -g(x)[1]


@torch.no_grad()
def _search(
    g: Increasing, y: Tensor, low: Tensor | float, high: Tensor | float, steps: int
) -> Tensor:
    """Newton's method inside a bracket, which is halved where a step helps too little.

    Halved is asinh x: numbers near 0 by distance, large ones by size.
    """
    low, high = torch.zeros_like(y) + low, torch.zeros_like(y) + high
    x, last = _middle(low, high), high - low
    best, least = x, torch.full_like(y, torch.inf)
    for _ in range(steps):
        value, log_slope = g(x)
        missed = y - value
        low, high = torch.where(missed < 0, low, x), torch.where(missed < 0, x, high)
        # At the root, rounding makes steps that help no more, and x leaves it again.
        closer = missed.abs() < least
        best, least = torch.where(closer, x, best), missed.abs().minimum(least)
        step = missed * (-log_slope).exp()
        fast = (x + step > low) & (x + step < high) & (2 * step.abs() < last)
        following = torch.where(fast, x + step, _middle(low, high))
        x, last = following, (following - x).abs()
    return best


def _middle(low: Tensor, high: Tensor) -> Tensor:
    return ((low.asinh() + high.asinh()) / 2).sinh()


class Unsolved(Univariate):
    """A univariate map whose inverse is found by `find_root`, as it has no formula."""

    def inverse(self, z: Tensor, params: Tensor) -> Mapped:
        return find_root(
            partial(self.forward, params=params), z, *self.bracket(z, params)
        )

    def bracket(self, z: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return two numbers that enclose g⁻¹(z), for each z; exact ones if known."""
        end = torch.full_like(z, REACH)
        return -end, end
