"""INNs, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch

from implementations import inn_inverse as original
from tests.support.exercises import edited
from tests.support.perturb import noise

PAPER = "inn_inverse"


def test_the_other_order_is_noticed() -> None:
    module = edited(PAPER, 1)
    with pytest.raises(AssertionError, match="the way back: off by"):
        module.run("the way back is off by")
    torch.manual_seed(0)
    inn, x = module.inn_inverse(4, 2), torch.randn(200, 4)
    assert inn.inverse(inn(x).y, inn(x).z)[0].shape == x.shape


def test_squared_error_likes_the_mean_better_than_the_truth() -> None:
    module = edited(PAPER, 2)
    truth, drawn = noise(500, 4), noise(500, 4, seed=2)
    mean = torch.zeros_like(truth) + 0.01 * noise(500, 4, seed=3)
    assert module.loss_x(mean, truth) < 0.6 * module.loss_x(drawn, truth)
    assert original.loss_x(drawn, truth) < 0.1 * original.loss_x(mean, truth)


def test_the_discrepancy_pulls_at_the_fit_of_y() -> None:
    module = edited(PAPER, 3)
    y = noise(100, 2)
    pulls = []
    for each in (original, module):
        found = (y + 0.1).requires_grad_()
        z = noise(100, 2, seed=2).requires_grad_()
        each.loss_z(each.Effects(found, y[:, :0], z), y).backward()
        pulls.append(found.grad)
    assert pulls[0] is None
    assert pulls[1].abs().max() > 1e-4
