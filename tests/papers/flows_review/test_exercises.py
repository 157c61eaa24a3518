"""The review, three to try: the answers are what comes out."""

from __future__ import annotations

import math

import pytest
import torch

from implementations.core.toy import eight_gaussians
from tests.support.exercises import edited


def test_marginals_are_uniform_one_by_one_and_no_longer_together() -> None:
    module = edited("flows_review", 1)
    vars(module)["target"] = eight_gaussians()
    with pytest.raises(AssertionError, match="by autograd, less log p"):
        module.run("exact = ConditionalCDF(")
    assert module.uneven < 2
    # In the middle of the square lies the middle of the discs, where none is.
    z, _ = module.exact(module.x)
    in_the_middle = ((z - 0.5).abs() < 0.1).all(1).float().mean().item()
    assert in_the_middle < 0.04 / 4


def test_what_stretches_does_not_come_back() -> None:
    module = edited("flows_review", 2)
    torch.manual_seed(0)
    with pytest.raises(AssertionError, match="residual block: error of the way back"):
        module.run("block = Residual(2)")


@pytest.mark.thorough
def test_one_layer_that_starts_in_the_middle_is_on_no_disc_after_its_steps() -> None:
    module = edited("flows_review", 3)
    vars(module)["target"] = eight_gaussians()
    module.run("one_layer = Autoregressive(")
    with torch.no_grad():
        x, log_q = module.single.rsample_and_log_prob(5000)
        price = (log_q - module.target.log_prob(x)).mean().item()
    # A disc's standard deviation is 0.2, and one disc alone costs log 8.
    assert x.std(0).max() > 0.5
    assert price > math.log(8) + 1
