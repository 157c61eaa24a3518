"""MADE, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from implementations import made
from tests.support.exercises import edited


def test_a_stricter_mask_sums_to_one_and_misses_two_components() -> None:
    module = edited("made", 1)
    with pytest.raises(AssertionError, match="missed, of 45: 17 "):
        module.run("states = torch.cartesian_prod")
    assert module.total == pytest.approx(1, abs=1e-4)
    missed = ~module.sees & torch.ones(10, 10).tril(-1).bool()
    pairs = {(i, j) for i, j in missed.nonzero().tolist()}
    assert pairs == {(i, i - k) for k in (1, 2) for i in range(k, 10)}


def test_a_leak_lets_the_sum_go() -> None:
    module = edited("made", 2)
    with pytest.raises(AssertionError, match="random weights: sum over states"):
        module.run("states = torch.cartesian_prod")
    assert module.total == pytest.approx(1.45, abs=0.01)
    assert module.sees.diagonal().tolist() == [False] + [True] * 9


def test_an_average_of_logarithms_loses_probability() -> None:
    module = edited("made", 3)
    torch.manual_seed(0)
    right = made.made(8, (20,), masks=3).double()
    for weights in right.parameters():
        nn.init.normal_(weights, std=0.3)
    wrong = module.made(8, (20,), masks=3).double()
    wrong.load_state_dict(right.state_dict())
    states = torch.cartesian_prod(*[torch.arange(2).double()] * 8)
    members = torch.stack([right.log_prob_under(k, states) for k in range(3)])
    assert right.log_prob(states).exp().sum().item() == pytest.approx(1)
    assert wrong.log_prob(states).exp().sum().item() < 0.99
    assert (wrong.log_prob(states) <= right.log_prob(states) + 1e-12).all()
    torch.testing.assert_close(wrong.log_prob(states), members.mean(0))
