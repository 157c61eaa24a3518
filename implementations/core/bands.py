"""Bands that calibrated counts keep to: at one place, or at all places at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import binom, poisson
from torch import Tensor


class Band(NamedTuple):
    """The least and the greatest values that are expected, both of shape (K,)."""

    low: Tensor
    high: Tensor

    def holds(self, values: Tensor) -> Tensor:
        """True where all K values are in the band, ends included.

        Values are of shape (K, …), answers of the shape that is left.
        """
        values = values.cpu().movedim(0, -1)
        return ((self.low <= values) & (values <= self.high)).all(-1)


def pointwise_band(n: int, shares: Tensor, confidence: float = 0.95) -> Band:
    """Binomial quantiles: each count alone is inside with this confidence or more.

    A count is the number of n cases that have something whose probability is a share;
    shares are of shape (K,). Of 20 counts one is outside on average where the
    confidence is 0.95: `histogram_band` and `coverage_band` hold for all at once.
    """
    p, tail = shares.cpu().double().numpy(), (1 - confidence) / 2
    low, high = binom.ppf(tail, n, p), binom.isf(tail, n, p)
    return Band(*(torch.as_tensor(each).long() for each in (low, high)))


def histogram_band(n: int, bins: int, confidence: float = 0.95) -> Band:
    """Counts of n uniform ranks in equal bins: all at once are inside the band.

    Each bin has the same binomial quantiles, and these are the tightest with which
    the probability that all counts are inside is the confidence or more. It is exact,
    no bound: counts are Poisson variables, given that their sum is n.
    """
    shares = torch.full((bins,), 1 / bins, dtype=torch.float64)
    one_bin = poisson.pmf(np.arange(n + 1), n / bins)

    def probability(band: Band) -> float:
        low, high = int(band.low[0]), int(band.high[0])
        total = np.ones(1)
        for _ in range(bins):
            total = np.convolve(total, one_bin[low : high + 1])
        at = n - bins * low
        inside = total[at] if 0 <= at < len(total) else 0.0
        return float(inside / poisson.pmf(n, n))

    return _tightest(n, shares, confidence, probability)


def coverage_band(n: int, levels: Tensor, confidence: float = 0.95) -> Band:
    """Coverage of n calibrated cases: at all levels at once it is inside the band.

    Levels are of shape (K,) and increase; the band is in shares. At each level it has
    binomial quantiles, the tightest with which the probability that the whole curve
    is inside is the confidence or more. It is exact: step by step, from each count to
    those of the next level. (Säilynoja et al., 2022, arXiv:2103.10522, whose bands
    these are.)

    Raises:
        ValueError: when levels do not increase, or are not between 0 and 1.
    """
    ends = levels.new_zeros(1), levels, levels.new_ones(1)
    steps = torch.cat(ends).cpu().double().diff().numpy()
    if steps.min() < 0 or (steps[1:-1] == 0).any():
        raise ValueError(
            "coverage_band: expected levels that increase between 0 and 1, got "
            f"{levels.tolist()}"
        )

    # A row for each step: probabilities that so many more cases are covered.
    *more, rest = poisson.pmf(np.arange(n + 1), n * steps[:, None])

    def probability(band: Band) -> float:
        chances, least = np.ones(1), 0
        rows = zip(more, band.low.tolist(), band.high.tolist(), strict=True)
        for step, low, high in rows:
            moved = np.convolve(chances, step[: high - least + 1])
            chances, least = moved[low - least : high - least + 1], low
        others = rest[n - least - np.arange(len(chances))]
        return float(chances @ others / poisson.pmf(n, n))

    band = _tightest(n, levels, confidence, probability)
    return Band(band.low.double() / n, band.high.double() / n)


def _tightest(
    n: int,
    shares: Tensor,
    confidence: float,
    probability: Callable[[Band], float],
    halvings: int = 30,
) -> Band:
    """Return the tightest of pointwise bands that hold all counts with confidence."""
    # By Bonferroni's inequality the first is wide enough; 0 is the tightest of all.
    wide, tight = 1 - (1 - confidence) / len(shares), 0.0
    for _ in range(halvings):
        middle = (wide + tight) / 2
        if probability(pointwise_band(n, shares, middle)) >= confidence:
            wide = middle
        else:
            tight = middle
    return pointwise_band(n, shares, wide)
