"""Temporal flows, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from implementations import temporal as original
from tests.support.exercises import edited
from tests.support.perturb import noise, perturbed

PAPER = "temporal"


def test_a_step_that_sees_itself_is_noticed() -> None:
    module = edited(PAPER, 1)
    with pytest.raises(AssertionError, match="largest derivative by x of its"):
        module.run("sees.triu()")
    # What it sees, it can repeat: its own x moves its state.
    model, x = perturbed(module.temporal(2, 0, 4, 2, 8)), noise(3, 5, 2)
    c = x.new_zeros(3, 5, 0)
    changed = x.clone()
    changed[:, 2] += 1
    h = model.states(changed, c) - model.states(x, c)
    assert (h[:, 2].abs() > 0).all() and (h[:, :2] == 0).all()


def test_means_that_go_back_forget_what_was_drawn() -> None:
    module, variances = edited(PAPER, 2), []
    for each in (original, module):
        # A random walk, x_t = x_{t-1} + ε_t, by hand.
        errors = each.ConditionalGaussian(1, 1, 0, ())
        flow = original.Flow(original.StandardNormal((1,)), errors)
        model = each.Forecaster(flow, 0).double()
        with torch.no_grad():
            for weights in model.parameters():
                weights.zero_()
            model.gru.bias_ih_l0[1] = -50.0
            model.gru.weight_ih_l0[2] = 1e-4
            linear = errors.m[0]
            assert isinstance(linear, nn.Linear)
            linear.weight[0] = 1e4
        torch.manual_seed(0)
        past = torch.zeros(2, 3, 1).double()
        drawn = model.forecast(past, past.new_zeros(2, 8, 0), 5000)
        variances.append(drawn.var(1).mean(0)[:, 0])
    right, wrong = variances
    torch.testing.assert_close(right, torch.arange(1, 6).double(), rtol=0.1, atol=0)
    torch.testing.assert_close(wrong, torch.ones(5).double(), rtol=0.1, atol=0)


def test_without_the_determinant_the_grid_sums_up_to_the_sizes() -> None:
    module = edited(PAPER, 3)
    module.run("sees.triu()")
    with pytest.raises(AssertionError, match="integral of the density"):
        module.run("cartesian_prod")
    model, x = perturbed(original.temporal(2, 0, 4, 2, 8)), noise(3, 5, 2)
    c, scale = x.new_zeros(3, 5, 0), 10 * original.sizes(x)
    right = original.scaled_log_prob(model, x, c, scale)
    wrong = module.scaled_log_prob(model, x, c, scale)
    missing = scale.log().sum(-1).expand(-1, 5)
    torch.testing.assert_close(wrong - right, missing)
