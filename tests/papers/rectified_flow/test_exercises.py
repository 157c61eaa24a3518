"""Rectified flow, three to try: the answers are what comes out."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from implementations import rectified_flow as original
from implementations.core.odes import FixedSteps, TimeNetwork
from implementations.core.toy import eight_gaussians
from tests.support.exercises import edited
from tests.support.perturb import noise

PAPER = "rectified_flow"
ACCURATE = FixedSteps(16)


def pairs_by(module: object) -> tuple[Tensor, Tensor]:
    """Pairs of the best first flow to eight Gaussians."""
    v = original.MeanOfLines(eight_gaussians()).double()
    return module.pairs_of(v, noise(1000, 2), ACCURATE)  # pyright: ignore


def test_out_of_order_pairs_cost_as_much_as_random_ones() -> None:
    torch.manual_seed(0)
    kept, mixed = (pairs_by(module) for module in (original, edited(PAPER, 1)))
    cost, again = ((x1 - x0).square().sum(1).mean().item() for x0, x1 in (kept, mixed))
    at_random = 2 + 4 + 2 * 0.2**2  # E‖X₀‖² + E‖X₁‖²
    assert cost < 1 and abs(again - at_random) < 0.5
    # As sets of points, nothing is changed.
    torch.testing.assert_close(kept[1].sort(0).values, mixed[1].sort(0).values)


def velocity_learned_from_a_shift(module: object) -> float:
    """Of pairs X₁ = X₀ + 3: a number at the middle of a line."""
    torch.manual_seed(0)
    v, x0 = TimeNetwork(1, (8,)), torch.randn(64, 1)
    draw = partial(original.OrderedPairs, x0, x0 + 3)
    module.rectify(v, draw, 100, lr=0.05)  # pyright: ignore
    with torch.no_grad():
        return v(torch.tensor(0.5), torch.full((1, 1), 1.5)).item()


def test_exchanged_ends_lead_back() -> None:
    there = velocity_learned_from_a_shift(original)
    back = velocity_learned_from_a_shift(edited(PAPER, 2))
    assert math.isclose(there, 3, abs_tol=0.2) and math.isclose(back, -3, abs_tol=0.2)


def test_one_step_makes_pairs_that_are_straight_and_useless() -> None:
    x0, x1 = pairs_by(edited(PAPER, 3))
    torch.testing.assert_close(x1, torch.zeros_like(x1), atol=1e-6, rtol=0)
    # These lines all meet, but at the end only: the best velocity misses nothing.

    def best(t: Tensor, x: Tensor) -> Tensor:
        return -x / (1 - t)

    misses = original.squared_misses(best, x0, x1, last=0.9)
    assert misses.max() < 1e-10
