"""Tests of two samples, against Gaussians, for which the answers are known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle
from scipy.stats import norm
from torch import Tensor

from implementations.core.plots import figure
from implementations.core.two_samples import (
    ClassifierTest,
    DiscrepancyTest,
    c2st,
    classifier_tests,
    discrepancy_histogram,
    gaussian_kernel,
    median_distance,
    mmd_test,
    squared_mmd,
)
from tests.support.perturb import noise


def apart(distance: float, n: int, dim: int = 2) -> tuple[Tensor, Tensor]:
    """Two samples of Gaussians of unit covariance, a distance apart."""
    shift = torch.zeros(dim).double()
    shift[0] = distance
    return noise(n, dim, seed=1), noise(n, dim, seed=2) + shift


@pytest.mark.parametrize("distance", [0.0, 1.5])
def test_accuracy_is_that_of_the_best_classifier(distance: float) -> None:
    """Φ(d/2): 0.5 where the laws are equal."""
    found = c2st(*apart(distance, 200))
    best = norm.cdf(distance / 2)
    error = math.sqrt(best * (1 - best) / 400)
    assert abs(found.accuracy - best) < 3 * error
    assert found.error == pytest.approx(math.sqrt(0.25 / 400))


def test_points_that_are_judged_were_not_learned() -> None:
    """80 points of one law in 100 dimensions: a network learns them all by heart."""
    found = c2st(noise(40, 100, seed=1), noise(40, 100, seed=2))
    assert abs(found.accuracy - 0.5) < 3 * found.error


def test_a_difference_in_dependence_alone_is_found() -> None:
    """Standard margins, correlations of ±0.9: the sign of x₁x₂ is ½ + asin(0.9)/π."""
    x, y = noise(250, 2, seed=1), noise(250, 2, seed=2)
    x[:, 1] = 0.9 * x[:, 0] + math.sqrt(0.19) * x[:, 1]
    y[:, 1] = -0.9 * y[:, 0] + math.sqrt(0.19) * y[:, 1]
    found, best = c2st(x, y), 0.5 + math.asin(0.9) / math.pi
    assert abs(found.accuracy - best) < 3 * found.error


def test_units_do_not_matter_and_runs_repeat() -> None:
    x, y = apart(1.0, 20)
    # Powers of two, with which no digit changes.
    units = torch.tensor([2.0**14, 2.0**-14]).double()
    assert c2st(x, y) == c2st(x * units, y * units)


def mmd_of_gaussians(distance: float, h: float, dim: int) -> float:
    """2 (h²/(h² + 2))^(D/2) (1 - exp(-d²/(2 (h² + 2)))) for N(0, I) and N(d, I)."""
    inner = -math.expm1(-(distance**2) / (2 * (h**2 + 2)))
    return 2 * (h**2 / (h**2 + 2)) ** (dim / 2) * inner


@pytest.mark.parametrize(("distance", "dim"), [(0.0, 1), (1.0, 1), (1.0, 3)])
def test_discrepancy_of_gaussians_is_right_on_average(
    distance: float, dim: int
) -> None:
    """Over many small samples, whose bias would be large; of two sizes."""
    kernel, found = gaussian_kernel(0.8), []
    for k in range(150):
        x = noise(6, dim, seed=2 * k)
        y = noise(4, dim, seed=2 * k + 1)
        y[:, 0] += distance
        found.append(squared_mmd(x, y, kernel))
    values = torch.stack(found)
    error = values.std().item() / math.sqrt(len(values))
    assert abs(values.mean().item() - mmd_of_gaussians(distance, 0.8, dim)) < 4 * error


def test_discrepancy_is_a_sum_over_pairs_of_two_points() -> None:
    x, y = noise(3, 2, seed=1), noise(2, 2, seed=2)
    k = [[math.exp(-(a - b).square().sum() / 8) for b in [*x, *y]] for a in [*x, *y]]
    within_x = (k[0][1] + k[0][2] + k[1][2]) / 3
    across = sum(k[i][j] for i in range(3) for j in (3, 4)) / 6
    found = squared_mmd(x, y, gaussian_kernel(2.0)).item()
    assert found == pytest.approx(within_x + k[3][4] - 2 * across)


def test_discrepancy_has_gradients_also_where_points_are_equal() -> None:
    x, y = noise(5, 2).requires_grad_(), noise(5, 2)
    squared_mmd(x, y + 3, gaussian_kernel(2.0)).backward()
    # A step down the gradient goes towards y.
    assert x.grad is not None and (x.grad.sum(0) < 0).all()
    assert torch.autograd.gradcheck(
        lambda x: squared_mmd(x, y, gaussian_kernel(2.0)), (x,)
    )


def test_a_usual_width_is_the_median_of_all_distances() -> None:
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[10.0]])
    assert median_distance(x, y) == 9


@pytest.mark.parametrize(("m", "n"), [(8, 8), (9, 5)])
def test_shuffled_discrepancies_are_those_of_shuffled_samples(m: int, n: int) -> None:
    kernel = gaussian_kernel(1.0)
    x, y = noise(m, 2, seed=1), noise(n, 2, seed=2) + 1
    found = mmd_test(x, y, kernel, permutations=3, seed=4)
    assert found.squared_mmd == pytest.approx(squared_mmd(x, y, kernel).item())
    generator = torch.Generator().manual_seed(4)
    for value in found.if_equal.tolist():
        points = torch.cat((x, y))[torch.randperm(m + n, generator=generator)]
        expected = squared_mmd(points[:m], points[m:], kernel).item()
        assert value == pytest.approx(expected)


def test_p_values_are_uniform_for_equal_laws_and_small_for_others() -> None:
    kernel = gaussian_kernel(1.0)
    equal = [
        mmd_test(noise(20, 2, seed=k), noise(20, 2, seed=1000 + k), kernel, 99).p_value
        for k in range(100)
    ]
    for p in (0.1, 0.5, 0.9):
        share = sum(each <= p for each in equal) / 100
        assert abs(share - p) < 4 * math.sqrt(p * (1 - p) / 100)
    assert mmd_test(*apart(1.5, 50), kernel, 99).p_value == 0.01


def test_accuracies_are_drawn_beside_half() -> None:
    fig, [ax] = figure()
    classifier_tests(
        ax, {"exact": ClassifierTest(0.51, 0.01), "wrong": ClassifierTest(0.8, 0.02)}
    )
    fig.draw_without_rendering()
    points = torch.as_tensor(ax.lines[0].get_xydata())
    assert points.flatten().tolist() == [0.51, 0, 0.8, 1]
    assert [text.get_text() for text in ax.texts] == ["0.51", "0.8"]
    bars = [each for each in ax.patches if isinstance(each, Rectangle)]
    ends = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars]
    assert ends == [pytest.approx((0.48, 0.52)), pytest.approx((0.46, 0.54))]
    assert [bar.get_y() + bar.get_height() / 2 for bar in bars] == [0, 1]


def test_a_discrepancy_is_drawn_among_those_of_chance() -> None:
    fig, [ax] = figure()
    test = mmd_test(*apart(1.0, 30), gaussian_kernel(1.0), 200)
    discrepancy_histogram(ax, test)
    fig.draw_without_rendering()
    heights = [each.get_height() for each in ax.patches if isinstance(each, Rectangle)]
    assert sum(heights) == 200
    [line], [words] = ax.lines, ax.texts
    assert list(np.asarray(line.get_xdata())) == [test.squared_mmd] * 2
    assert words.get_text() == "found"
    assert words.get_window_extent().y0 >= ax.get_window_extent().y1


def test_a_p_value_counts_itself_and_ties() -> None:
    chance = torch.tensor([0.125, 0.25, 0.5])
    assert DiscrepancyTest(0.25, chance).p_value == 3 / 4
    assert DiscrepancyTest(0.75, chance).p_value == 1 / 4


KERNEL = gaussian_kernel(1.0)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda: c2st(torch.zeros(30, 2), torch.zeros(31, 2)), "c2st: .*one shape"),
        (lambda: c2st(torch.zeros(19, 2), torch.zeros(19, 2)), "at least 20 points"),
        (lambda: c2st(torch.zeros(30), torch.zeros(30)), "c2st: expected two samples"),
        (
            lambda: c2st(torch.full((30, 1), math.nan), torch.zeros(30, 1)),
            "c2st: expected numbers, got NaN",
        ),
        (
            lambda: squared_mmd(torch.zeros(3, 2), torch.zeros(3, 1), KERNEL),
            r"squared_mmd: .*got shapes \(3, 2\) and \(3, 1\)",
        ),
        (
            lambda: squared_mmd(torch.zeros(1, 2), torch.zeros(3, 2), KERNEL),
            "at least two points",
        ),
        (
            lambda: mmd_test(torch.zeros(3, 2), torch.zeros(1, 2), KERNEL),
            "mmd_test: .*at least two points",
        ),
        (lambda: gaussian_kernel(0.0), r"expected a positive width, got 0\.0"),
    ],
)
def test_samples_that_do_not_fit_are_refused(
    run: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        run()
