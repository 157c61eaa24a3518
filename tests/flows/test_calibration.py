"""Ranks and coverage, for posteriors that are exact, and for some that are not."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from scipy.stats import chi2
from torch import Tensor

from implementations.core.bands import coverage_band, histogram_band
from implementations.core.calibration import (
    central_levels,
    coverage,
    coverage_curves,
    density_levels,
    rank_counts,
    rank_histogram,
    ranks,
    uniformity,
)
from implementations.core.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, figure
from tests.support.perturb import noise

CASES, DRAWS = 1500, 19


def posterior(
    width: float = 1.0, shift: float = 0.0, n_draws: int = DRAWS
) -> tuple[Tensor, Tensor]:
    """Truths θ ~ N(0, I) and draws given x = θ + ε, from N(x/2, I/2) if exact."""
    theta, error = noise(CASES, 2, seed=1), noise(CASES, 2, seed=2)
    around = (theta + error)[:, None] / 2 + shift
    return theta, around + width * 0.5**0.5 * noise(CASES, n_draws, 2, seed=3)


def log_prob(theta: Tensor, x: Tensor, width: float) -> Tensor:
    """Log-density of the posterior, but for a constant."""
    return -(theta - x / 2).square().sum(-1) / width**2


def test_a_rank_counts_the_draws_below_the_truth() -> None:
    draws = torch.tensor([[[1.0, -1.0], [2.0, -2.0], [3.0, -3.0]]])
    for truth, expected in [(0.0, 0), (1.5, 1), (2.5, 2), (9.0, 3)]:
        found = ranks(torch.tensor([[truth, -truth]]), draws)
        assert found.tolist() == [[expected, 3 - expected]]


def test_ties_are_broken_by_chance() -> None:
    """One draw below, two equal, one above: 1, 2 or 3, each as often."""
    torch.manual_seed(0)
    draws = torch.tensor([0.0, 1.0, 1.0, 2.0]).view(1, 4, 1).expand(6000, 4, 1)
    counts = torch.bincount(ranks(torch.ones(6000, 1), draws).flatten(), minlength=5)
    assert counts[[0, 4]].tolist() == [0, 0]
    assert (counts[1:4] - 2000).abs().max() < 4 * math.sqrt(6000 * 2 / 9)


def test_ranks_of_an_exact_posterior_are_uniform() -> None:
    found = ranks(*posterior())
    assert found.min() == 0 and found.max() == DRAWS
    for bins in (20, 10, 4):
        counts = rank_counts(found, DRAWS, bins)
        assert counts.sum(0).tolist() == [CASES, CASES]
        assert (uniformity(counts).p_value > 0.01).all()
        assert histogram_band(CASES, bins, 0.99).holds(counts).all()


@pytest.mark.parametrize(
    ("width", "shift", "heaps"),
    [(0.7, 0.0, (0, 19)), (1.6, 0.0, (9, 10)), (1.0, 0.3, (0, 1))],
)
def test_ranks_show_how_a_posterior_is_wrong(
    width: float, shift: float, heaps: tuple[int, int]
) -> None:
    """Too narrow: heaps at both ends; too wide: in the middle; too high: low ranks."""
    counts = rank_counts(ranks(*posterior(width, shift)), DRAWS, 20)
    assert (uniformity(counts).p_value < 1e-6).all()
    assert not histogram_band(CASES, 20).holds(counts).any()
    heaped = counts[list(heaps)].double().mean(1)
    assert (heaped > histogram_band(CASES, 20).high[0]).all()


def test_ranks_cannot_tell_the_prior() -> None:
    theta, _ = posterior()
    prior = noise(CASES, DRAWS, 2, seed=4)
    counts = rank_counts(ranks(theta, prior), DRAWS, 20)
    assert (uniformity(counts).p_value > 0.01).all()


def test_ranks_fall_into_equal_bins() -> None:
    every = torch.arange(20)
    assert rank_counts(every, 19, 5).tolist() == [4] * 5
    assert rank_counts(torch.tensor([[3, 4], [0, 19]]), 19, 5).tolist() == [
        *([2, 0], [0, 1], [0, 0], [0, 0], [0, 1])
    ]


def test_chi_squared_is_that_of_its_formula() -> None:
    found = uniformity(torch.tensor([[10, 16], [10, 4], [10, 10]]))
    assert found.chi_squared.tolist() == pytest.approx([0, 7.2])
    assert found.p_value.tolist() == pytest.approx([1, chi2.sf(7.2, 2)])


LEVELS = torch.linspace(0, 1, 21).double()


@pytest.mark.parametrize(("width", "n_draws"), [(0.7, 199), (1.0, 9), (1.4, 199)])
def test_regions_hold_the_truth_as_often_as_they_do(width: float, n_draws: int) -> None:
    """A central region of level c is ±qw√½ with Φ(q) = (1 + c)/2: it holds 2Φ(qw) - 1.

    A densest one is a disc, of radius² -w² log(1 - c): it holds 1 - (1 - c)^(w²).
    """
    torch.manual_seed(0)
    theta, draws = posterior(width, n_draws=n_draws)
    x = theta + noise(CASES, 2, seed=2)
    dense = density_levels(
        log_prob(theta, x, width), log_prob(draws, x[:, None], width)
    )
    normal = torch.distributions.Normal(0.0, 1.0)
    q = normal.icdf((1 + LEVELS) / 2)
    central = 2 * normal.cdf(q * width) - 1
    disc = 1 - (1 - LEVELS) ** width**2
    # Draws know the quantiles of a wrong posterior but roughly.
    slack = 0.0 if width == 1 else 0.01
    for held, expected in [
        (central_levels(theta, draws), central[:, None]),
        (dense, disc),
    ]:
        error = (expected * (1 - expected) / CASES).sqrt()
        miss = (coverage(held, LEVELS) - expected).abs()
        assert (miss <= 3.5 * error + slack).all()
        band = coverage_band(CASES, LEVELS, 0.99)
        assert band.holds(coverage(held, LEVELS)).all() == (width == 1)


def test_levels_are_exact_for_a_few_draws() -> None:
    """With one draw, the truth is below it or above, and chance does the rest."""
    torch.manual_seed(0)
    theta, draws = noise(4000, 1, seed=1), noise(4000, 1, 1, seed=2)
    band = coverage_band(4000, LEVELS, 0.99)
    assert band.holds(coverage(central_levels(theta, draws), LEVELS)).all()
    dense = density_levels(theta[:, 0], draws[..., 0])
    assert band.holds(coverage(dense, LEVELS))


def test_the_densest_point_is_in_every_region_and_the_thinnest_in_none() -> None:
    truth, draws = torch.tensor([9.0, -9.0]), torch.zeros(2, 99)
    densest, thinnest = density_levels(truth, draws).tolist()
    assert densest < 0.01 and thinnest > 0.99


def test_coverage_is_a_share_with_its_ends() -> None:
    held = torch.tensor([[0.1, 0.5], [0.2, 0.5], [0.5, 0.9], [0.6, 1.0]])
    found = coverage(held, torch.tensor([0.0, 0.5, 1.0]))
    assert found.tolist() == [[0, 0], [0.75, 0.5], [1, 1]]


def sizes_and_colours(ax: Axes) -> None:
    """Letters of 10 points, in colours that are legible on light and dark pages."""
    words = [*ax.texts, ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels()]
    for text in words:
        assert float(text.get_fontsize()) >= 10
        legible = {GREY, BLUE, ORANGE, GREEN, PURPLE}
        assert to_hex(text.get_color()) in legible


def test_a_histogram_shows_counts_and_their_band() -> None:
    fig, [ax] = figure()
    found = ranks(*posterior())[:, 0]
    rank_histogram(ax, found, DRAWS, 10)
    span, *bars = (each for each in ax.patches if isinstance(each, Rectangle))
    heights = [bar.get_height() for bar in bars]
    assert heights == rank_counts(found, DRAWS, 10).tolist()
    centres = [bar.get_x() + bar.get_width() / 2 for bar in bars]
    assert centres == pytest.approx([2 * k + 0.5 for k in range(10)])
    band = histogram_band(CASES, 10)
    ends = span.get_y(), span.get_y() + span.get_height()
    assert ends == (band.low[0], band.high[0])
    fig.draw_without_rendering()
    sizes_and_colours(ax)
    [words] = ax.texts
    assert words.get_text() == "grey: 95% band\nof all bins at once"
    above = words.get_window_extent().transformed(ax.transData.inverted())
    assert above.y0 > max(*heights, band.high[0])


def test_a_diagram_of_coverage_names_its_curves() -> None:
    torch.manual_seed(0)
    fig, [ax] = figure()
    held = {
        name: central_levels(*posterior(width))[:200, 0]
        for name, width in {"exact": 1.0, "too narrow": 0.5}.items()
    }
    coverage_curves(ax, held)
    for line, each in zip(ax.lines, held.values(), strict=True):
        drawn = torch.as_tensor(line.get_ydata(orig=False))
        torch.testing.assert_close(drawn, coverage(each, LEVELS[1:-1]))
    [drawn_band] = ax.collections
    box = drawn_band.get_datalim(ax.transData)
    band = coverage_band(200, LEVELS[1:-1])
    ends = band.low[0].item(), band.high[-1].item()
    assert (box.y0, box.y1) == pytest.approx(ends)
    fig.draw_without_rendering()
    sizes_and_colours(ax)
    exact, narrow = (text.get_window_extent() for text in ax.texts[1:])
    assert exact.y0 >= narrow.y1
    names = [text.get_text() for text in ax.texts]
    assert names == ["grey: 95% band\nof all levels at once", *held]


def test_curves_of_unequal_numbers_of_cases_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one number of cases, got \[2, 3\]"):
        coverage_curves(figure()[1][0], {"a": torch.rand(2), "b": torch.rand(3)})


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda: ranks(torch.zeros(5), torch.zeros(5, 3, 1)), r"got \(5,\) and \(5, "),
        (lambda: ranks(torch.zeros(5, 2), torch.zeros(5, 3, 1)), "ranks: expected"),
        (lambda: ranks(torch.zeros(3, 1), torch.zeros(5, 3, 1)), "ranks: expected"),
        (lambda: ranks(torch.zeros(5, 1), torch.zeros(5, 0, 1)), "at least 1 draws"),
        (
            lambda: ranks(torch.tensor([[math.nan]]), torch.zeros(1, 3, 1)),
            "ranks: expected numbers, got NaN",
        ),
        (
            lambda: central_levels(torch.zeros(1, 1), torch.full((1, 3, 1), math.nan)),
            "central_levels: expected numbers, got NaN",
        ),
        (
            lambda: density_levels(torch.zeros(5), torch.zeros(3, 5)),
            "density_levels: expected",
        ),
        (lambda: rank_counts(torch.arange(3), 99, 30), "divide the 100 ranks.* got 30"),
        (lambda: rank_counts(torch.arange(6), 4, 5), "from 0 to 4, got 0 to 5"),
        (lambda: uniformity(torch.tensor([4, 5])), "got 2 bins and 9 cases"),
        (lambda: uniformity(torch.tensor([90])), "got 1 bins and 90 cases"),
    ],
)
def test_what_does_not_fit_is_refused(run: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run()
