"""Targets are normalised densities, of the entropy that they claim."""

from __future__ import annotations

import math

import pytest
import torch

from benchmarks.accuracy.targets import targets

N = 20_000


@pytest.mark.parametrize("name", targets())
def test_entropy_is_that_of_the_samples(name: str) -> None:
    torch.manual_seed(0)
    target = targets()[name]
    x, context = target.draw(N)
    surprise = -target.density.log_prob(x, context).double()
    error = surprise.std().item() / math.sqrt(N)
    assert abs(surprise.mean().item() - target.entropy) < 5 * error + 1e-6


@pytest.mark.parametrize("name", targets())
def test_density_is_normalised(name: str) -> None:
    """E[q/p] over samples of p is 1 for a density q that is p's neighbour.

    With q(x) = p(x/1.05) / 1.05^D; an unnormalised log p would not cancel in it only
    if its constant depended on where it is, so the entropy's test fixes the constant.
    """
    torch.manual_seed(1)
    target = targets()[name]
    if name.startswith("checkerboard"):
        return  # Its neighbour is not 0 where it is 0.
    x, context = target.draw(N)
    log_p = target.density.log_prob(x, context).double()
    near = target.density.log_prob(x / 1.02, context).double()
    ratio = (near - log_p - target.dim * math.log(1.02)).exp()
    error = ratio.std().item() / math.sqrt(N)
    assert abs(ratio.mean().item() - 1) < 5 * error


def test_there_are_eight_up_to_dimension_eight_and_some_are_conditional() -> None:
    all = targets().values()
    assert len(all) == 8 and max(target.dim for target in all) == 8
    assert {target.density.context for target in all} == {0, 1, 2}
