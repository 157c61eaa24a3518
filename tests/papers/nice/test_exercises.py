"""NICE, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from implementations import nice
from tests.support.exercises import edited


def test_with_two_layers_two_outputs_miss_an_input() -> None:
    module = edited("nice", 1)
    with pytest.raises(AssertionError, match="misses, of 16: 2 "):
        module.run("stack = Compose(*couplings(4, 2")
    seen = module.seen.tolist()
    missed = {(i + 1, j + 1) for i in range(4) for j in range(4) if not seen[i][j]}
    assert missed == {(2, 4), (4, 2)}


def test_without_the_determinant_half_of_the_probability_is_lost() -> None:
    module = edited("nice", 2)
    with pytest.raises(AssertionError, match=r"total probability: 0\.5 "):
        module.run("stretch, noise = Scaling(1)")


def test_a_wrong_inverse_spoils_samples_alone() -> None:
    module = edited("nice", 3)
    right, wrong = (
        each.nice(2, 4, (16,), nice.StandardNormal).double() for each in (nice, module)
    )
    for weights in right.parameters():
        nn.init.normal_(weights, std=0.5)
    wrong.load_state_dict(right.state_dict())
    x = torch.randn(50, 2, dtype=torch.float64)
    assert torch.equal(right.log_prob(x), wrong.log_prob(x))
    error = (wrong.bijection.inverse(wrong.bijection(x)[0])[0] - x).abs().max()
    assert error > 0.1
    with pytest.raises(AssertionError, match="error of the round trip"):
        module.run("layer, x = Coupling(4")
