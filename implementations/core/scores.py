"""Proper scores of forecasts that are samples: CRPS and the energy score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from implementations.core.calibration import check_draws
from implementations.core.plots import BLUE


def crps(truth: Tensor, draws: Tensor) -> Tensor:
    """Σ_l |x_l - y| / L - Σ_{k<l} |x_k - x_l| / (L (L - 1)), for each component.

    The continuous ranked probability score, E|X - y| - ½ E|X - X′|, without bias for
    any L; so it may be below 0. This is the default: `empirical_crps` depends on L.
    Lower is better, its unit is that of y, and it is |x - y| where all draws are x.

    Truth y is of shape (cases, dim), draws are of shape (cases, L, dim), scores of
    shape (cases, dim), in float64. (Gneiting and Raftery, 2007,
    doi:10.1198/016214506000001437, Section 4.2; without bias: Ferro, 2014,
    doi:10.1002/qj.2270.)

    Raises:
        ValueError: when the shapes do not fit, L < 2, or there is a NaN.

    >>> crps(torch.tensor([[1.0]]), torch.tensor([[[0.0], [1.0], [3.0]]]))
    tensor([[0.]], dtype=torch.float64)
    """
    check_draws("crps", truth, draws, least=2)
    n = draws.shape[1]
    return _mean_miss(truth, draws) - _sum_apart(truth, draws) / (n * (n - 1))


def empirical_crps(truth: Tensor, draws: Tensor) -> Tensor:
    """Σ_l |x_l - y| / L - Σ_{k<l} |x_k - x_l| / L²: the CRPS of the draws themselves.

    The usual estimate: ∫ (F(z) - 1{y ≤ z})² dz for the step function F of the draws.
    It is above that of their law by E|X - X′| / 2L on average: compare only scores of
    equal L. Shapes and errors are those of `crps`, but that one draw is enough.
    """
    check_draws("empirical_crps", truth, draws)
    apart = _sum_apart(truth, draws) / draws.shape[1] ** 2
    return _mean_miss(truth, draws) - apart


def _mean_miss(truth: Tensor, draws: Tensor) -> Tensor:
    return (draws.double() - truth[:, None].double()).abs().mean(1)


def _sum_apart(truth: Tensor, draws: Tensor) -> Tensor:
    """Σ_{k<l} |x_k - x_l| = Σ_k (2k - L - 1) x_(k), of draws in order."""
    n = draws.shape[1]
    # Weights sum to 0, so the truth may be taken off, which saves digits.
    ordered = (draws.double() - truth[:, None].double()).sort(1).values
    weights = torch.arange(1 - n, n, 2, device=draws.device, dtype=torch.float64)
    return (weights[:, None] * ordered).sum(1)


def energy_score(truth: Tensor, draws: Tensor) -> Tensor:
    """Σ_l ‖x_l - y‖ / L - Σ_{k<l} ‖x_k - x_l‖ / (L (L - 1)), for each case.

    The CRPS of vectors, which sees how components depend on each other, though weakly;
    in one dimension the two are equal. Without bias for any L, the default. Scale
    components first where their units differ. Shapes and errors are those of `crps`,
    scores are of shape (cases,). (Gneiting and Raftery, 2007, Section 4.3, β = 1.)
    """
    check_draws("energy_score", truth, draws, least=2)
    n = draws.shape[1]
    return _mean_distance(truth, draws) - _sum_distances(draws) / (n * (n - 1))


def empirical_energy_score(truth: Tensor, draws: Tensor) -> Tensor:
    """Σ_l ‖x_l - y‖ / L - Σ_{k<l} ‖x_k - x_l‖ / L²: that of the draws themselves.

    The usual estimate, above that of their law by E‖X - X′‖ / 2L on average: see
    `empirical_crps`. Shapes and errors are those of `energy_score`, but that one draw
    is enough.
    """
    check_draws("empirical_energy_score", truth, draws)
    return _mean_distance(truth, draws) - _sum_distances(draws) / draws.shape[1] ** 2


def _mean_distance(truth: Tensor, draws: Tensor) -> Tensor:
    return (draws.double() - truth[:, None].double()).norm(dim=-1).mean(1)


def _sum_distances(draws: Tensor) -> Tensor:
    return torch.stack([torch.pdist(each).sum() for each in draws.double()])


def mean_scores(ax: Axes, scores: Mapping[str, Tensor], unit: str = "score") -> None:
    """Draw the mean of each row of scores, by name, and two standard errors of it.

    Scores are of shape (cases,). Errors are those of one mean: of a difference between
    two on the same cases they are smaller.
    """
    means = {name: each.double().mean().item() for name, each in scores.items()}
    errors = [2 * (each.double().std() / len(each) ** 0.5) for each in scores.values()]
    dots(ax, means, [float(each) for each in errors])
    ax.set_xlabel(f"{unit}: mean ± 2 standard errors")


def dots(
    ax: Axes, means: Mapping[str, float], errors: Sequence[float] | None = None
) -> None:
    """Draw a row for each name, the first one uppermost, its number above its dot."""
    rows = range(len(means))
    ax.errorbar(list(means.values()), rows, xerr=errors, fmt="o", color=BLUE)
    for row, value in zip(rows, means.values(), strict=True):
        number = f"{value:.3g}"
        ax.text(value, row - 0.12, number, color=BLUE, ha="center", va="bottom")
    ax.set_yticks(rows, list(means))
    ax.set_ylim(len(means) - 0.5, -0.7)
