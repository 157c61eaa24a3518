"""Bands against sums over all outcomes, and against simulated cases."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from implementations.core.bands import (
    Band,
    coverage_band,
    histogram_band,
    pointwise_band,
)


def test_a_single_count_is_inside_its_band_and_in_no_smaller_one() -> None:
    """Ten throws of a coin: 2 to 8 have probability 1002/1024, 3 to 7 have 912/1024."""
    assert pointwise_band(10, torch.tensor([0.5]), 0.95) == (2, 8)
    assert pointwise_band(10, torch.tensor([0.5]), 0.89) == (3, 7)
    sure = pointwise_band(10, torch.tensor([0.0, 1.0]))
    assert [sure.low.tolist(), sure.high.tolist()] == [[0, 10], [0, 10]]


def outcomes(n: int, bins: int) -> tuple[Tensor, Tensor]:
    """All counts of n ranks in equal bins, of shape (bins, …), and probabilities."""
    every = [c for c in product(range(n + 1), repeat=bins) if sum(c) == n]
    ways = [math.factorial(n) / math.prod(map(math.factorial, c)) for c in every]
    return torch.tensor(every).T, torch.tensor(ways).double() / bins**n


def next_tighter(band: Band, n: int, shares: Tensor) -> Band:
    """The widest of pointwise bands that do not hold this one."""
    outside, around = 0.0, 1.0 - 1e-9
    for _ in range(40):
        middle = (outside + around) / 2
        found = pointwise_band(n, shares, middle)
        if (found.low <= band.low).all() and (found.high >= band.high).all():
            around = middle
        else:
            outside = middle
    return pointwise_band(n, shares, outside)


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95, 0.99])
def test_a_histogram_is_inside_with_its_confidence_and_in_no_smaller_band(
    confidence: float,
) -> None:
    every, p = outcomes(12, 4)
    band = histogram_band(12, 4, confidence)
    assert p @ band.holds(every).double() >= confidence
    tighter = next_tighter(band, 12, torch.full((4,), 0.25))
    assert p @ tighter.holds(every).double() < confidence


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95, 0.99])
def test_a_curve_is_inside_with_its_confidence_and_in_no_smaller_band(
    confidence: float,
) -> None:
    every, p = outcomes(12, 4)
    curves, levels = every.cumsum(0)[:3], torch.tensor([0.25, 0.5, 0.75]).double()
    shares = coverage_band(12, levels, confidence)
    assert p @ shares.holds(curves.double() / 12).double() >= confidence
    band = Band(*((12 * each).round() for each in shares))
    tighter = next_tighter(band, 12, levels)
    assert p @ tighter.holds(curves).double() < confidence


def test_bands_hold_simulated_cases_at_their_rate() -> None:
    torch.manual_seed(0)
    u = torch.rand(2000, 200).double()
    bins = torch.nn.functional.one_hot((10 * u).long(), 10).sum(1)
    levels = torch.linspace(0, 1, 21).double()
    curves = torch.stack([(u <= level).double().mean(1) for level in levels])
    found = [
        histogram_band(200, 10, 0.9).holds(bins.T).double().mean(),
        coverage_band(200, levels, 0.9).holds(curves).double().mean(),
    ]
    # Bands of counts are as coarse as counts: a little wider than they need be.
    for share in found:
        assert 0.9 - 4 * math.sqrt(0.09 / 2000) < share < 0.93


def test_a_band_for_all_is_wider_than_that_for_one() -> None:
    all_bins = histogram_band(1000, 20)
    one = pointwise_band(1000, torch.full((20,), 0.05))
    assert (all_bins.low < one.low).all() and (all_bins.high > one.high).all()


def test_the_ends_of_a_band_are_inside() -> None:
    band = Band(torch.tensor([1, 2]), torch.tensor([3, 4]))
    values = torch.tensor([[1, 3, 0, 2], [4, 2, 3, 5]])
    assert band.holds(values).tolist() == [True, True, False, False]


@pytest.mark.parametrize("levels", [[0.5, 0.5], [0.6, 0.4], [-0.1, 0.5], [0.5, 1.1]])
def test_levels_that_do_not_increase_are_refused(levels: list[float]) -> None:
    with pytest.raises(ValueError, match="expected levels that increase"):
        coverage_band(10, torch.tensor(levels))
