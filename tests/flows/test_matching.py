"""Regression on paths, against closed forms."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from implementations.core.matching import line, squared_misses
from tests.flows.fields import velocity_by_autograd
from tests.support.perturb import noise


def test_a_line_moves_as_autograd_says() -> None:
    x0, x1, t = noise(6, 3), noise(6, 3).flip(0), torch.linspace(0, 1, 6)[:, None]
    point, velocity = line(t.double(), x0, x1)
    torch.testing.assert_close(velocity, velocity_by_autograd(line, t.double(), x0, x1))
    torch.testing.assert_close((point[0], point[-1]), (x0[0], x1[-1]))


def test_the_best_field_misses_by_what_crossing_lines_need() -> None:
    """Between two standard normals: v = (2t - 1)x / (t² + (1-t)²), the floor is π/2."""
    torch.manual_seed(0)
    x0, x1 = torch.randn(2, 200_000, 1).double()

    def best(t: Tensor, x: Tensor) -> Tensor:
        return (2 * t - 1) * x / (t.square() + (1 - t).square())

    misses = squared_misses(best, x0, x1)
    assert misses.shape == (200_000,)
    error = misses.std().item() / math.sqrt(len(misses))
    assert abs(misses.mean().item() - math.pi / 2) < 4 * error
    worse = squared_misses(lambda t, x: best(t, x) + 0.1, x0, x1).mean()
    assert worse > misses.mean() + 0.005


def test_each_row_has_a_time_of_its_own_until_the_last() -> None:
    seen: list[Tensor] = []

    def watched(t: Tensor, x: Tensor) -> Tensor:
        seen.append(t)
        return x

    squared_misses(watched, torch.zeros(1000, 2), torch.ones(1000, 2), last=0.3)
    assert 0.29 < seen[0].max() <= 0.3
    assert len(seen[0].unique()) > 900
