"""MNF, three to try: the answers are what comes out."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from implementations import mnf
from tests.support.exercises import edited


def test_variances_that_z_scales_are_not_those_of_drawn_weights() -> None:
    module = edited("mnf", 1)
    with pytest.raises(AssertionError, match="outputs and drawn weights"):
        module.run("slow = x @")


def batch_means(module: ModuleType) -> Tensor:
    """Means over 50 examples, as a loss has them: 400 times, of (400, outputs)."""
    torch.manual_seed(0)
    layer = module.MNF(module.MeanFieldLinear(3, 2, sigma=0.01))
    x = torch.rand(50, 3)  # as after a ReLU
    with torch.no_grad():
        return torch.stack([layer(x).mean(0) for _ in range(400)])


def test_one_z_for_a_batch_is_right_on_average_and_noisier() -> None:
    own, shared = batch_means(mnf), batch_means(edited("mnf", 2))
    # The same seed, so the same weights.
    error = ((own.var(0) + shared.var(0)) / 400).sqrt()
    assert ((own - shared).mean(0).abs() < 5 * error).all()
    assert (shared.std(0) > 2 * own.std(0)).all()


@pytest.mark.thorough
def test_a_blind_guess_leaves_the_gap_of_independent_weights() -> None:
    precision = torch.eye(2) + 0.3**-2
    mean = torch.full((2,), 1 / (2 + 0.3**2))
    exact = MultivariateNormal(mean, precision_matrix=precision)
    module = edited("mnf", 3)
    torch.manual_seed(0)
    model = module.two_weights(exact)
    with torch.no_grad():
        gap = module.excess(model, exact, 20_000).mean().item()
    assert 0.9 < gap < 1.1
