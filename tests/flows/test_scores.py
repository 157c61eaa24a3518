"""Scores of samples against closed forms, and against sums over all pairs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor

from implementations.core.plots import figure
from implementations.core.scores import (
    crps,
    empirical_crps,
    empirical_energy_score,
    energy_score,
    mean_scores,
)
from tests.support.perturb import noise

Score = Callable[[Tensor, Tensor], Tensor]
CASES = 4000


def mean_and_error(scores: Tensor) -> tuple[float, float]:
    return scores.mean().item(), scores.std().item() / math.sqrt(scores.numel())


def crps_of_gaussian(y: float, mean: float, sigma: float) -> float:
    """σ (ζ (2Φ(ζ) - 1) + 2φ(ζ) - 1/√π), ζ = (y - μ)/σ (Gneiting and Raftery, 2007)."""
    zeta = (y - mean) / sigma
    inner = zeta * (2 * norm.cdf(zeta) - 1) + 2 * norm.pdf(zeta)
    return float(sigma * (inner - 1 / math.sqrt(math.pi)))


@pytest.mark.parametrize("n_draws", [2, 3, 10])
@pytest.mark.parametrize("y", [-1.0, 0.5, 4.0])
def test_scores_of_a_gaussian_are_right_on_average(y: float, n_draws: int) -> None:
    """For any number of draws; those of the draws themselves are above by σ/(L√π)."""
    draws = 1 + 2 * noise(CASES, n_draws, 1)
    truth = torch.full((CASES, 1), y).double()
    exact = crps_of_gaussian(y, 1, 2)
    above = 2 / (n_draws * math.sqrt(math.pi))
    found: dict[Score, float] = {crps: exact, empirical_crps: exact + above}
    for score, expected in found.items():
        mean, error = mean_and_error(score(truth, draws))
        assert abs(mean - expected) < 4 * error
        # So that it could tell the two.
        assert above > 8 * error


@pytest.mark.parametrize("y", [0.0, 0.3, 1.0])
def test_scores_of_a_uniform_are_right_on_average(y: float) -> None:
    """1/3 - y + y² for y between 0 and 1."""
    draws = torch.special.ndtr(noise(CASES, 5, 1))
    mean, error = mean_and_error(crps(torch.full((CASES, 1), y).double(), draws))
    assert abs(mean - (1 / 3 - y + y**2)) < 4 * error


def test_empirical_crps_is_the_integral_of_its_definition() -> None:
    """∫ (F(z) - 1{y ≤ z})² dz on a grid."""
    truth, draws = noise(3, 2), noise(3, 7, 2, seed=2)
    z = torch.linspace(-6, 6, 12_001).double()
    for k in range(2):
        steps = (draws[:, :, k, None] <= z).double().mean(1)
        after = (truth[:, k, None] <= z).double()
        expected = torch.trapezoid((steps - after).square(), z)
        found = empirical_crps(truth, draws)[:, k]
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


def test_scores_are_sums_over_pairs() -> None:
    truth, draws = noise(4, 3), noise(4, 6, 3, seed=2)
    miss, apart = draws - truth[:, None], draws[:, :, None] - draws[:, None]
    for fair, empirical, size in [
        (crps, empirical_crps, Tensor.abs),
        (energy_score, empirical_energy_score, lambda x: x.norm(dim=-1)),
    ]:
        near, pairs = size(miss).mean(1), size(apart).sum((1, 2))
        torch.testing.assert_close(fair(truth, draws), near - pairs / 60)
        torch.testing.assert_close(empirical(truth, draws), near - pairs / 72)


def test_the_energy_score_is_the_crps_in_one_dimension() -> None:
    truth, draws = noise(5, 1), noise(5, 8, 1, seed=2)
    for vectors, numbers in [
        (energy_score, crps),
        (empirical_energy_score, empirical_crps),
    ]:
        torch.testing.assert_close(vectors(truth, draws), numbers(truth, draws)[:, 0])


def test_the_energy_score_of_a_gaussian_at_its_mean() -> None:
    """In the plane, E‖X‖ - ½ E‖X - X′‖ = √(π/2) (1 - 1/√2)."""
    mean, error = mean_and_error(energy_score(torch.zeros(4000, 2), noise(4000, 4, 2)))
    expected = math.sqrt(math.pi / 2) * (1 - 1 / math.sqrt(2))
    assert abs(mean - expected) < 4 * error


@pytest.mark.parametrize("score", [crps, empirical_crps])
def test_a_forecast_of_one_number_is_scored_by_its_error(score: Score) -> None:
    found = score(torch.tensor([[1.0], [2.0]]), torch.full((2, 5, 1), 4.0))
    assert found.tolist() == [[3.0], [2.0]]


def test_one_draw_is_scored_by_its_error() -> None:
    truth, draws = noise(4, 2), noise(4, 1, 2, seed=2)
    miss = draws[:, 0] - truth
    torch.testing.assert_close(empirical_crps(truth, draws), miss.abs())
    found = empirical_energy_score(truth, draws)
    torch.testing.assert_close(found, miss.norm(dim=-1))


@pytest.mark.parametrize("score", [crps, energy_score])
def test_the_true_law_scores_best(score: Score) -> None:
    truth, draws = noise(2000, 2), noise(2000, 10, 2, seed=2)
    right = score(truth, draws)
    for wrong in (draws * 0.6, draws * 1.6, draws + 0.4):
        mean, error = mean_and_error(score(truth, wrong) - right)
        assert mean > 4 * error


def test_scores_keep_their_digits_far_from_zero() -> None:
    truth, draws = noise(3, 1).float(), noise(3, 9, 1, seed=2).float()
    expected = crps(truth, draws)
    far = crps(truth.double() + 1e8, draws.double() + 1e8)
    torch.testing.assert_close(far, expected, atol=1e-6, rtol=0)


def test_a_plot_has_means_and_their_errors() -> None:
    fig, [ax] = figure()
    scores = {
        "first": torch.tensor([1.0, 3.0, 2.0, 2.0]),
        "second": torch.full((4,), 7),
    }
    mean_scores(ax, scores, "CRPS")
    fig.draw_without_rendering()
    [dots] = ax.lines
    assert torch.as_tensor(dots.get_xydata()).tolist() == [[2, 0], [7, 1]]
    assert [text.get_text() for text in ax.get_yticklabels()] == [*scores]
    assert [text.get_text() for text in ax.texts] == ["2", "7"]
    [bars] = ax.collections
    ends = [np.asarray(path.vertices)[:, 0] for path in bars.get_paths()]
    two_errors = 2 * math.sqrt(2 / 3) / 2
    assert ends[0] == pytest.approx([2 - two_errors, 2 + two_errors])
    assert ends[1] == pytest.approx([7, 7])
    # The first row is the uppermost.
    assert ax.get_ylim()[0] > ax.get_ylim()[1]


@pytest.mark.parametrize("score", [crps, energy_score])
def test_one_draw_is_too_few_without_bias(score: Score) -> None:
    with pytest.raises(ValueError, match=f"{score.__name__}.*at least 2 draws"):
        score(torch.zeros(3, 1), torch.zeros(3, 1, 1))


@pytest.mark.parametrize(
    "score", [crps, empirical_crps, energy_score, empirical_energy_score]
)
def test_what_cannot_be_scored_is_refused(score: Score) -> None:
    with pytest.raises(ValueError, match=f"{score.__name__}: expected shapes"):
        score(torch.zeros(3), torch.zeros(3, 5))
    with pytest.raises(ValueError, match=f"{score.__name__}: expected numbers"):
        score(torch.zeros(1, 1), torch.tensor([[[1.0], [math.nan]]]))
