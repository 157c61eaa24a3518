"""Neural ODEs, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch

from implementations import neural_ode as original
from implementations.core.odes import TimeNetwork
from tests.support.exercises import edited
from tests.support.perturb import noise

PAPER = "neural_ode"


def test_the_sign_as_printed_is_noticed() -> None:
    module = edited(PAPER, 1)
    with pytest.raises(AssertionError, match="trace, less that by autograd"):
        module.run("field.with_trace(t, z, ())[1]")


def round_trip(continuous: type) -> float:
    torch.manual_seed(0)
    g = TimeNetwork(2, (8,))
    with torch.no_grad():
        for weight in g.parameters():
            weight.normal_()
    flow, x = continuous(g).double(), noise(50, 2)
    return (flow.inverse(flow(x)[0])[0] - x).abs().max().item()


def test_euler_comes_back_only_roughly() -> None:
    euler = round_trip(edited(PAPER, 2).Continuous)
    assert euler > 100 * round_trip(original.Continuous)


def test_without_minus_signs_gradients_are_neither_right_nor_reversed() -> None:
    found, x = [], noise(16, 2)
    for module in (original, edited(PAPER, 3)):
        torch.manual_seed(0)
        flow = module.neural_ode(2, 8, 8).double()
        found.append(module.gradient(flow, x, 32, True)[0])
    right, wrong = found
    for each in (right, -right):
        assert (wrong - each).norm() > 0.1 * right.norm()
