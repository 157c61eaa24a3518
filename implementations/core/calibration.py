"""Calibration: ranks of true parameters among draws, and coverage of regions.

Posteriors are judged over many cases: a parameter is drawn from the prior, data are
simulated, and L independent draws are taken from the posterior of these data. Where
the posterior is exact, the truth is one more such draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from scipy.stats import chisquare
from torch import Tensor

from implementations.core.bands import coverage_band, histogram_band
from implementations.core.plots import BLUE, GREY, label_lines


def check_draws(name: str, truth: Tensor, draws: Tensor, least: int = 1) -> None:
    """Refuse draws that do not fit the truth, and numbers that are NaN.

    Raises:
        ValueError: when shapes are not (cases, dim) and (cases, L, dim), when L is
            below `least`, or when there is a NaN.
    """
    shape = tuple(draws.shape)
    cases_and_dim = (*shape[:1], *shape[2:])
    if draws.ndim != 3 or tuple(truth.shape) != cases_and_dim or shape[1] < least:
        raise ValueError(
            f"{name}: expected shapes (cases, dim) and (cases, draws, dim) with at "
            f"least {least} draws, got {tuple(truth.shape)} and {shape}"
        )
    if truth.isnan().any() or draws.isnan().any():
        raise ValueError(f"{name}: expected numbers, got NaN")


def ranks(truth: Tensor, draws: Tensor) -> Tensor:
    """r = #{l : θ_l < θ*}, from 0 to L, for each component; ties by chance.

    Truth is of shape (cases, dim), draws are of shape (cases, L, dim), ranks are
    integers of shape (cases, dim). They are uniform on 0 … L where the posterior is
    exact: heaped at both ends where it is too narrow, in the middle where it is too
    wide, at one end where it is biased. They are uniform for the prior, too: ranks
    cannot see a posterior that ignores the data. (Talts et al., 2018,
    arXiv:1804.06788, Theorem 1 and Algorithm 1.)

    Raises:
        ValueError: when the shapes do not fit, or there is a NaN.

    >>> ranks(torch.tensor([[0.5]]), torch.tensor([[[0.1], [0.2], [0.9]]]))
    tensor([[2]])
    """
    check_draws("ranks", truth, draws)
    below = (draws < truth[:, None]).sum(1)
    equal = (draws == truth[:, None]).sum(1)
    chance = torch.rand_like(below, dtype=torch.float64)
    return below + (chance * (equal + 1)).long()


def rank_counts(ranks: Tensor, n_draws: int, bins: int) -> Tensor:
    """Count the ranks 0 … L in bins of equal width, L = n_draws.

    Ranks are of shape (cases, …), counts are integers of shape (bins, …).

    Raises:
        ValueError: when the bins do not divide L + 1, which would make some of them
            wider, or when a rank is not between 0 and L.
    """
    if bins < 1 or (n_draws + 1) % bins:
        raise ValueError(
            f"rank_counts: expected bins that divide the {n_draws + 1} ranks of "
            f"{n_draws} draws, got {bins}"
        )
    if ((ranks < 0) | (ranks > n_draws)).any():
        low, high = int(ranks.min()), int(ranks.max())
        raise ValueError(
            f"rank_counts: expected ranks from 0 to {n_draws}, got {low} to {high}"
        )
    which = ranks // ((n_draws + 1) // bins)
    return torch.stack([(which == k).sum(0) for k in range(bins)])


class Uniformity(NamedTuple):
    """χ² of counts against equal ones, and its p-value, for each component."""

    chi_squared: Tensor
    p_value: Tensor


def uniformity(counts: Tensor) -> Uniformity:
    """χ² = Σ_b (n_b - n/B)² / (n/B), of B - 1 degrees of freedom.

    Counts are those of `rank_counts`, of shape (bins, …). The p-value is that of many
    cases: at least five for each bin.

    Raises:
        ValueError: when there are fewer than two bins or no five cases for each.
    """
    bins = len(counts)
    fewest = int(counts.sum(0).min()) if counts.numel() else 0
    if bins < 2 or fewest < 5 * bins:
        raise ValueError(
            "uniformity: expected at least two bins and five cases for each, got "
            f"{bins} bins and {fewest} cases"
        )
    found = chisquare(counts.cpu().numpy(), axis=0)
    return Uniformity(*(torch.as_tensor(each) for each in found))


def _uniform(ranks: Tensor, n_draws: int) -> Tensor:
    """(r + U) / (L + 1), which is uniform on [0, 1] where r is so on 0 … L."""
    chance = torch.rand_like(ranks, dtype=torch.float64)
    return (ranks + chance) / (n_draws + 1)


def central_levels(truth: Tensor, draws: Tensor) -> Tensor:
    """|2u - 1|: the level of the smallest central region that holds the truth.

    Shapes are those of `ranks`, and the result is of shape (cases, dim). u places the
    truth among the draws; between two of them, chance does. So the levels are uniform
    on [0, 1], for any L, where the posterior is exact. Where it is not, few draws blur
    by how much: take a hundred or more.

    Raises:
        ValueError: when the shapes do not fit, or there is a NaN.
    """
    check_draws("central_levels", truth, draws)
    return (2 * _uniform(ranks(truth, draws), draws.shape[1]) - 1).abs()


def density_levels(truth: Tensor, draws: Tensor) -> Tensor:
    """Level of the smallest region of highest density that holds the truth.

    Takes log-densities under the posterior of each case: the truth's, of shape
    (cases,), and those of its draws, of shape (cases, L). The level is the share of
    draws that are denser than the truth, of shape (cases,); chance fills the gaps as
    in `central_levels`. All components are judged together.

    Raises:
        ValueError: when the shapes do not fit, or there is a NaN.
    """
    truth, draws = truth[..., None], draws[..., None]
    check_draws("density_levels", truth, draws)
    return 1 - _uniform(ranks(truth, draws), draws.shape[1])[:, 0]


def coverage(held: Tensor, levels: Tensor) -> Tensor:
    """Share of cases whose truth lies in its region of each level.

    `held` has for each case the least level that holds the truth, of shape (cases, …):
    see `central_levels` and `density_levels`. Levels are of shape (K,), shares of
    shape (K, …), in float64.
    """
    found = [(held <= level).sum(0).double() / len(held) for level in levels.tolist()]
    return torch.stack(found)


def rank_histogram(
    ax: Axes, ranks: Tensor, n_draws: int, bins: int, confidence: float = 0.95
) -> None:
    """Draw how often each rank came, and the band that holds all bins at once.

    Ranks are of shape (cases,): of one component.
    """
    counts = rank_counts(ranks, n_draws, bins)
    band = histogram_band(len(ranks), bins, confidence)
    low, high = float(band.low[0]), float(band.high[0])
    width = (n_draws + 1) / bins
    centres = width * (np.arange(bins) + 0.5) - 0.5
    ax.axhspan(low, high, color=GREY, alpha=0.3, linewidth=0)
    ax.axhline(len(ranks) / bins, color=GREY, linewidth=0.8)
    ax.bar(centres, counts.cpu().numpy(), 0.9 * width, color=BLUE, alpha=0.6)
    # A third of the height is left for the words.
    ax.set(xlim=(-0.5, n_draws + 0.5), ylim=(0, 1.5 * max(high, float(counts.max()))))
    ax.set(xlabel=f"rank among {n_draws} draws", ylabel="cases")
    words = f"grey: {confidence:.0%} band\nof all bins at once"
    ax.text(0.03, 0.97, words, transform=ax.transAxes, color=GREY, va="top")


def coverage_curves(
    ax: Axes, held: Mapping[str, Tensor], confidence: float = 0.95
) -> None:
    """Draw coverage against level, by name, and the band that holds a whole curve.

    Each has the least levels that hold the truth, of shape (cases,). Curves below the
    band are of regions that are too small: of too much confidence.

    Raises:
        ValueError: when numbers of cases differ, or there is no curve.
    """
    sizes = sorted({len(each) for each in held.values()})
    if len(sizes) != 1:
        raise ValueError(f"coverage_curves: expected one number of cases, got {sizes}")
    # All curves meet at 0 and at 1; without these ends, labels have an order.
    levels = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    band = coverage_band(sizes[0], levels, confidence)
    low, high = band.low.numpy(), band.high.numpy()
    ax.fill_between(levels.numpy(), low, high, color=GREY, alpha=0.3, linewidth=0)
    for name, each in held.items():
        ax.plot(levels.numpy(), coverage(each, levels).cpu().numpy(), label=name)
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="level", ylabel="coverage")
    words = f"grey: {confidence:.0%} band\nof all levels at once"
    place = {"ha": "right", "va": "bottom", "transform": ax.transAxes}
    ax.text(0.98, 0.03, words, color=GREY, **place)
    label_lines(ax)
