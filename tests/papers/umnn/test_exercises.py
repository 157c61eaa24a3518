"""UMNN, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch

from implementations import umnn as original
from tests.support.exercises import edited
from tests.support.perturb import noise, perturbed

PAPER = "umnn"


def test_without_the_moving_nodes_the_check_of_the_slope_fails() -> None:
    module = edited(PAPER, 1)
    with pytest.raises(AssertionError, match="slope of the sum, against autograd"):
        module.run("apart: dict")
    g = perturbed(module.MonotonicNetwork(3, (16, 16)))
    x, params = 2 * noise(50), noise(50, 4, seed=2)
    z, log_slope = g(x, params)
    torch.testing.assert_close(log_slope.exp(), (z - params[:, 0]) / x)
    torch.testing.assert_close(g.inverse(z, params)[0], x, atol=1e-4, rtol=1e-4)


def test_without_a_floor_the_inverse_is_no_number() -> None:
    module, z = edited(PAPER, 2), noise(20)
    zero = torch.zeros(20, 1).double()
    kept = perturbed(original.MonotonicNetwork(0, (8,))).inverse(z, zero)[0]
    lost = perturbed(module.MonotonicNetwork(0, (8,))).inverse(z, zero)[0]
    assert kept.isfinite().all()
    assert not lost.isfinite().any()


def test_with_ends_counted_twice_a_rule_is_too_steep_and_still_honest() -> None:
    module = edited(PAPER, 3)
    assert sum(module.clenshaw_curtis(4)[1]) > 1.01
    g = perturbed(module.MonotonicNetwork(3, (16, 16)))
    x, params = (2 * noise(50)).requires_grad_(), noise(50, 4, seed=2)
    z, log_slope = g(x, params)
    (slope,) = torch.autograd.grad(z.sum(), x)
    torch.testing.assert_close(log_slope.exp(), slope)
    torch.testing.assert_close(g.inverse(z, params)[0], x, atol=1e-8, rtol=1e-8)
