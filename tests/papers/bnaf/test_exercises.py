"""BNAF, three to try: the answers are what comes out."""

from __future__ import annotations

import math

import pytest
import torch

from implementations import bnaf as original
from tests.support.exercises import edited
from tests.support.perturb import noise

PAPER = "bnaf"


def test_a_gate_the_other_way_round_breaks_the_determinant() -> None:
    module = edited(PAPER, 1)
    with pytest.raises(AssertionError, match="less that by autograd"):
        module.run("log |det J| less that by autograd")
    halves = []
    for each in (original, module):
        torch.manual_seed(0)
        f = each.BlockAutoregressive(3, (4,), 0.0).double()
        halves.append(f(noise(5, 3))[0])
    torch.testing.assert_close(*halves)


def test_without_the_largest_the_sum_is_the_smallest_number() -> None:
    module, log_slopes = edited(PAPER, 2), []
    module.run("log |det J| less that by autograd")
    for each in (original, module):
        torch.manual_seed(0)
        f = each.BlockAutoregressive(1, (4,), math.inf).double()
        log_slopes.append(f(torch.tensor([[1e4]]).double())[1].item())
    assert log_slopes[0] < -1000
    assert log_slopes[1] == pytest.approx(-708, abs=10)


def test_a_larger_leak_reaches_more_but_not_all() -> None:
    module = edited(PAPER, 3)
    module.run("masses[name]")
    found = vars(module)["masses"]
    assert found["leak of 0.01"][0] > found["published"][0] + 0.03
    assert found["leak of 0.01"][0] < 0.98
