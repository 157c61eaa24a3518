"""Two samples of one law, or of two: a classifier's accuracy, and mean discrepancy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

import numpy as np
import torch
from matplotlib.axes import Axes
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from implementations.core.plots import GREY, ORANGE
from implementations.core.scores import dots


class ClassifierTest(NamedTuple):
    """Accuracy on points that were held out, and its standard error if laws are equal.

    If they are equal, the accuracy is expected to be 0.5.
    """

    accuracy: float
    error: float


def c2st(x: Tensor, y: Tensor, seed: int = 0) -> ClassifierTest:
    """Accuracy of a classifier that tells x from y, by cross-validation in five parts.

    0.5 where it finds no difference, 1 where the laws do not overlap. It is a lower
    bound, up to noise, of the best accuracy, which is Φ(d/2) for two Gaussians of unit
    covariance whose means are d apart. x and y are of shape (n, dim). The classifier
    is a network with two hidden layers of 32 units, on columns that are standardised,
    and stops where the accuracy on a tenth of its training points no longer grows. Few
    points train it badly: take hundreds.

    The standard error, 1/√(4 · 2n), is that of 2n independent points (Lopez-Paz and
    Oquab, 2017, arXiv:1610.06545, Section 3). Folds share training points, so the true
    one is larger: 1.1 times, over 150 pairs of samples of 100 points.

    Raises:
        ValueError: when the shapes differ, there are fewer than 20 points in each, or
            there is a NaN.
    """
    _check_samples("c2st", x, y)
    if x.shape != y.shape or len(x) < 20:
        raise ValueError(
            "c2st: expected samples of one shape, of at least 20 points, got "
            f"{tuple(x.shape)} and {tuple(y.shape)}"
        )
    points = torch.cat((x, y)).detach().double().cpu().numpy()
    labels = np.repeat((0, 1), len(x))
    network = MLPClassifier(
        (32, 32), early_stopping=True, learning_rate_init=0.01, random_state=seed
    )
    # Scaled within each fold: no point that is held out is seen.
    model = make_pipeline(StandardScaler(), network)
    parts = StratifiedKFold(5, shuffle=True, random_state=seed)
    told = cross_val_predict(model, points, labels, cv=parts)
    accuracy = float((labels == cast(np.ndarray, told)).mean())
    return ClassifierTest(accuracy, (4 * len(labels)) ** -0.5)


# From squared distances, of any shape, to values of a kernel.
Kernel = Callable[[Tensor], Tensor]


def gaussian_kernel(width: float) -> Kernel:
    """k(a, b) = exp(-‖a - b‖² / 2h²), of width h.

    Raises:
        ValueError: when the width is not positive.
    """
    if not width > 0:
        raise ValueError(f"gaussian_kernel: expected a positive width, got {width}")
    return lambda squares: (squares / (-2 * width**2)).exp()


def median_distance(x: Tensor, y: Tensor) -> float:
    """Median of the distances between all points: a usual width for a kernel.

    (Gretton et al., 2012, Section 8.) x and y are of shapes (m, dim) and (n, dim).
    """
    return torch.pdist(torch.cat((x, y)).detach().double()).median().item()


def squared_mmd(x: Tensor, y: Tensor, kernel: Kernel) -> Tensor:
    """Mean of k(x, x′) + mean of k(y, y′) - 2 mean of k(x, y), no point with itself.

    The squared maximum mean discrepancy without bias: about 0, and often below, for two
    samples of one law. x and y are of shapes (m, dim) and (n, dim); the result has no
    axes, and has gradients. (Gretton et al., 2012, JMLR 13:723-773, Lemma 6.)

    Raises:
        ValueError: when widths differ, a sample has fewer than two points, or there is
            a NaN.
    """
    _check_samples("squared_mmd", x, y)
    within_x, within_y = (
        _mean_of_pairs(kernel(_squares(each, each))) for each in (x, y)
    )
    return within_x + within_y - 2 * kernel(_squares(x, y)).mean()


def _check_samples(name: str, x: Tensor, y: Tensor) -> None:
    shapes = tuple(x.shape), tuple(y.shape)
    flat = x.ndim == y.ndim == 2 and x.shape[1:] == y.shape[1:]
    if not flat or min(len(x), len(y)) < 2:
        raise ValueError(
            f"{name}: expected two samples of one width, of at least two points each, "
            f"got shapes {shapes[0]} and {shapes[1]}"
        )
    if x.isnan().any() or y.isnan().any():
        raise ValueError(f"{name}: expected numbers, got NaN")


def _squares(x: Tensor, y: Tensor) -> Tensor:
    return (x[:, None] - y).square().sum(-1)


def _mean_of_pairs(values: Tensor) -> Tensor:
    n = len(values)
    return (values.sum() - values.diagonal().sum()) / (n * (n - 1))


class DiscrepancyTest(NamedTuple):
    """MMD² of two samples, and of samples shuffled between them, (permutations,)."""

    squared_mmd: float
    if_equal: Tensor

    @property
    def p_value(self) -> float:
        """(1 + #{shuffled ≥ found}) / (1 + permutations)."""
        above = int((self.if_equal >= self.squared_mmd).sum())
        return (1 + above) / (1 + len(self.if_equal))


def mmd_test(
    x: Tensor, y: Tensor, kernel: Kernel, permutations: int = 500, seed: int = 0
) -> DiscrepancyTest:
    """MMD² beside those that come of chance: points are shuffled between x and y.

    If the laws are equal, the p-value is at most p with probability p or less, for any
    number of points. Shapes and errors are those of `squared_mmd`; the kernel of all
    pairs is held in float64.
    """
    _check_samples("mmd_test", x, y)
    points, m, n = torch.cat((x, y)).detach().double(), len(x), len(y)
    values = kernel(_squares(points, points)).fill_diagonal_(0)
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.arange(m + n)]
    orders += [torch.randperm(m + n, generator=generator) for _ in range(permutations)]
    # A column for each order: 1 where a point counts as x.
    first = torch.zeros(m + n, len(orders), dtype=torch.float64)
    first = first.scatter_(0, torch.stack(orders, 1)[:m], 1.0).to(points.device)
    to_first, total = values @ first, values.sum()
    within_x = (first * to_first).sum(0)
    across = to_first.sum(0) - within_x
    within_y = total - within_x - 2 * across
    found = within_x / (m * (m - 1)) + within_y / (n * (n - 1)) - 2 * across / (m * n)
    return DiscrepancyTest(found[0].item(), found[1:].cpu())


def classifier_tests(ax: Axes, tests: Mapping[str, ClassifierTest]) -> None:
    """Draw accuracies by name; a grey bar holds two standard errors around 0.5."""
    dots(ax, {name: test.accuracy for name, test in tests.items()})
    for row, test in enumerate(tests.values()):
        low, height = 0.5 - 2 * test.error, 0.5
        ax.barh(row, 4 * test.error, height, low, color=GREY, alpha=0.3, linewidth=0)
    lowest = min(test.accuracy for test in tests.values())
    ax.set(xlim=(min(0.4, lowest - 0.05), 1.03))
    ax.set(xlabel="accuracy of a classifier (grey: if equal)")


def discrepancy_histogram(ax: Axes, test: DiscrepancyTest) -> None:
    """Draw MMD² of samples that were shuffled, and that which was found, as a line."""
    ax.hist(test.if_equal.numpy(), 30, color=GREY, alpha=0.4)
    ax.axvline(test.squared_mmd, color=ORANGE)
    place = (test.squared_mmd, 1.02)
    label = ax.text(*place, "found", color=ORANGE, ha="center", va="bottom")
    label.set_transform(ax.get_xaxis_transform())
    ax.set(xlabel="MMD² (grey: if equal)", ylabel="shuffled samples")
