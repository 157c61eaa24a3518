"""Flow matching, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch

from implementations import flow_matching as original
from tests.support.exercises import edited
from tests.support.perturb import noise

PAPER = "flow_matching"


def test_noise_that_grows_is_noticed() -> None:
    module = edited(PAPER, 1)
    with pytest.raises(AssertionError, match="less that by autograd"):
        module.run("rate(path, t, x0, x1)")
    t, x0, x1 = torch.tensor(0.3).double(), noise(5, 2), noise(5, 2, seed=2)
    torch.testing.assert_close(module.Straight(0.0)(t, x0, x1).velocity, x1 + x0)


def test_a_blur_of_one_leaves_the_width_of_the_noise() -> None:
    """One data point becomes N(x₁, I), and the data are blurred by as much."""
    module, z = edited(PAPER, 2), noise(6, 2)
    x1 = noise(1, 2, seed=2)
    flow = module.solved(module.Mean(x1, 0.0, module.Straight())).double()
    x, log_det = flow.bijection.inverse(z)
    torch.testing.assert_close(x, x1 + z)
    torch.testing.assert_close(log_det, torch.zeros_like(log_det), atol=1e-9, rtol=0)


def test_a_weak_diffusion_does_not_begin_at_noise() -> None:
    zero = torch.tensor(0.0)
    weak = edited(PAPER, 3).Diffusion().at(zero).alpha
    assert weak > 0.7 > 0.01 > original.Diffusion().at(zero).alpha
