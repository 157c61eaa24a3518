"""Optimal transport between samples, and the energy of a way."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch

from implementations.core.odes import FixedSteps
from implementations.core.transport import assignment, squared_wasserstein, travel
from tests.flows.fields import Turn
from tests.support.perturb import noise


def test_no_order_is_cheaper() -> None:
    x, y = noise(5, 2), noise(10, 2)[5:]
    orders = [list(order) for order in permutations(range(5))]
    costs = [(x - y[order]).square().sum().item() for order in orders]
    cheapest = min(range(len(costs)), key=costs.__getitem__)
    # The order is y's, not x's: the two have other costs where it is no swap.
    assert assignment(x, y).tolist() == orders[cheapest]
    assert squared_wasserstein(x, y) == pytest.approx(min(costs) / 5)


def test_on_a_line_it_sorts() -> None:
    x, y = noise(40, 1), noise(80, 1)[40:] + 3
    expected = (x.sort(0).values - y.sort(0).values).square().mean().item()
    assert squared_wasserstein(x, y) == pytest.approx(expected)


def test_samples_of_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got \(3, 2\) and \(4, 2\)"):
        assignment(torch.zeros(3, 2), torch.zeros(4, 2))


def test_a_turn_takes_the_energy_of_its_arc() -> None:
    """dz/dt = ωJz: a quarter of a circle of radius r has energy (rπ/2)², covers 2r²."""
    turn = Turn(math.pi / 2 * torch.tensor([[0.0, -1.0], [1.0, 0.0]]).double())
    z = noise(7, 2)
    end, energy = travel(turn, z, FixedSteps(40))
    torch.testing.assert_close(
        end, z @ torch.tensor([[0.0, 1.0], [-1.0, 0.0]]).double(), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(energy, (math.pi / 2) ** 2 * z.square().sum(1))
    assert (energy > (end - z).square().sum(1)).all()
