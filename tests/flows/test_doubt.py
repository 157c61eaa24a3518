"""Classifiers and their doubt: predictions, entropies, calibration, the digits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from implementations.core import doubt
from implementations.core.digits import digits
from implementations.core.doubt import (
    MNIST,
    LeNet,
    calibration_error,
    draw_entropies,
    entropy,
    halves,
    judge,
    misfit,
    predict,
)
from implementations.core.plots import figure


class Alternating(nn.Module):
    """A network whose first logit is 20 and -10 in turns, whose mean is not 0."""

    logit = 20.0

    def forward(self, x: Tensor) -> Tensor:
        self.logit = 10 - self.logit
        return torch.tensor([[self.logit, 0.0]]).expand(len(x), 2)


def test_predictions_average_probabilities() -> None:
    p = predict(Alternating(), torch.zeros(3, 1), n=2)
    torch.testing.assert_close(p, torch.full((3, 2), 0.5), atol=1e-4, rtol=0)


def test_entropy_and_calibration() -> None:
    p = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    assert entropy(p).tolist() == pytest.approx([0, math.log(2)])
    # Of four answers given with 80% confidence, three are right.
    p, y = torch.tensor([[0.8, 0.2]]).expand(4, 2), torch.tensor([0, 0, 0, 1])
    assert calibration_error(p, y) == pytest.approx(0.05)


def test_errors_of_one_bin_do_not_mend_those_of_another() -> None:
    """Too sure by 0.1 in one bin, too unsure by 0.4 in the other."""
    p = torch.tensor([[0.9, 0.1]] * 5 + [[0.6, 0.4]] * 5)
    y = torch.tensor([0, 0, 0, 0, 1, 0, 0, 0, 0, 0])
    assert calibration_error(p, y) == pytest.approx((0.1 + 0.4) / 2)


def test_halves_share_no_class_and_lose_no_image() -> None:
    data, (train, *rest) = halves(), digits()
    labels = torch.cat([part.labels for part in rest])
    assert len(data.images) == len(data.labels) == (train.labels < 5).sum()
    assert len(data.seen) == len(data.answers) == (labels < 5).sum()
    assert len(data.unseen) == (labels >= 5).sum()
    assert set(data.labels.tolist()) == set(data.answers.tolist()) == {*range(5)}
    assert data.images.shape[1:] == (1, 8, 8) and data.images.max() == 1


def test_batches_keep_images_with_their_labels() -> None:
    data = halves()
    images, labels = data.batch(30)
    for image, label in zip(images, labels, strict=True):
        (rows,) = (data.images == image).all((1, 2, 3)).nonzero(as_tuple=True)
        assert label in data.labels[rows]


@pytest.mark.parametrize("dropout", [0, 0.5])
def test_sizes_of_a_lenet(dropout: float) -> None:
    net = LeNet((2, 9, 10), 3, (4, 5), 2, (7,)).plain(dropout)
    shapes = [tuple(weights.shape) for weights in net.parameters() if weights.ndim > 1]
    # 9×10 → 8×9 → 4×4 → 3×3 → 1×1
    assert shapes == [(4, 2, 2, 2), (5, 4, 2, 2), (7, 5), (3, 7)]
    assert isinstance(net[-1], nn.Linear)
    assert sum(isinstance(layer, nn.Dropout) for layer in net) == (2 if dropout else 0)
    assert net(torch.zeros(6, 2, 9, 10)).shape == (6, 3)


def test_the_lenet_of_the_authors() -> None:
    shapes = [tuple(w.shape) for w in MNIST.plain().parameters() if w.ndim > 1]
    assert shapes == [(20, 1, 5, 5), (50, 20, 5, 5), (500, 800), (10, 500)]


def test_misfit_is_in_nats_for_all_images() -> None:
    torch.manual_seed(0)
    net, x = LeNet((1, 4, 4), 3, (), 1, (5,)).plain(), torch.randn(7, 1, 4, 4)
    y = torch.tensor([0, 1, 2, 0, 1, 2, 0])
    exact = cross_entropy(net(x), y, reduction="sum").item()
    assert misfit(net, x, y) == pytest.approx(exact, rel=1e-5)


def test_networks_are_judged_with_dropout_on() -> None:
    data, sizes = halves(), LeNet((1, 8, 8), 5, (), 1, (6,))
    nets = {"plain": sizes.plain().eval(), "dropout": sizes.plain(0.5).eval()}
    costs = {id(nets["plain"]): 3.0}
    judged = judge(nets, data, lambda net, n: torch.tensor(costs.get(id(net), 0.0)))
    assert nets["dropout"].training
    for each in judged.values():
        assert each.seen.shape == (len(data.seen),)
        assert each.unseen.shape == (len(data.unseen),)
        assert (each.seen <= math.log(5) + 1e-6).all()
    bound = 3 + misfit(nets["plain"], data.images, data.labels)
    assert judged["plain"].bound == pytest.approx(bound, rel=1e-5)
    assert math.isnan(judged["dropout"].bound)


def test_shares_rise_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doubt, "tabulate", lambda doubts: None)
    data = halves()
    net = LeNet((1, 8, 8), 5, (), 1, ()).plain()
    judged = judge({"net": net}, data, lambda net, n: torch.zeros(()))
    _, axes = figure(columns=2)
    draw_entropies(axes, judged, 5)
    for ax in axes:
        (line,) = ax.lines
        share = torch.tensor(line.get_ydata())
        assert (share.diff() >= 0).all() and share[-1] == 1
