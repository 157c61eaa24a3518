"""APT, three to try: the answers are what comes out."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch
from torch.distributions import Independent, Normal

from implementations import apt as original
from tests.support.exercises import edited

STATIONARITY = 'check("atomic loss: gradient at the posterior"'


def test_the_sign_of_the_prior_is_noticed_by_a_gaussian_one_only() -> None:
    module = edited("apt", 1)
    with pytest.raises(AssertionError, match="atomic loss: gradient at the posterior"):
        module.run(STATIONARITY)
    q = original.LinearGaussian(0.8, 0.0, -0.8)
    theta, losses = torch.rand(50, 1), []
    for each in (original, module):
        torch.manual_seed(0)
        prior = original.uniform(-1, 1, 1)
        losses.append(each.atomic_loss(q.log_prob, theta, theta, prior).item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def curvature(module: ModuleType) -> float:
    """Second derivative of the loss by b at the exact posterior."""
    torch.manual_seed(0)
    prior = Independent(Normal(torch.zeros(1), 1.0), 1)
    theta = 1 + 0.5 * torch.randn(20_000, 1)
    x = theta + 0.5 * torch.randn_like(theta)

    def loss(b: torch.Tensor) -> torch.Tensor:
        def log_q(theta: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
            return Normal(0.8 * x + b, 0.2**0.5, validate_args=False).log_prob(theta)[
                :, 0
            ]

        torch.manual_seed(1)
        return module.atomic_loss(log_q, theta, x, prior)

    b = torch.zeros((), requires_grad=True)
    (first,) = torch.autograd.grad(loss(b), b, create_graph=True)
    (second,) = torch.autograd.grad(first, b)
    return second.item()


def test_two_atoms_are_right_and_teach_less() -> None:
    module = edited("apt", 2)
    module.run(STATIONARITY)
    assert 0 < curvature(module) < 0.8 * curvature(original)


def test_without_edges_the_loss_is_no_number() -> None:
    module = edited("apt", 3)
    torch.manual_seed(0)
    prior, q = original.uniform(-1, 1, 1), original.apt(1, 1, (8,), context=1)
    x = torch.zeros(200, 1)
    theta = module.sample_inside(q, prior, x)
    assert theta.abs().max() > 1
    assert module.atomic_loss(q.log_prob, theta, x, prior).isnan()
    task = original.InferenceTask(prior, lambda theta: theta, torch.zeros(1, 1))
    with pytest.raises(FloatingPointError, match="the loss is nan"):
        loss = lambda q, t, x: module.atomic_loss(q, t, x, prior)  # noqa: E731
        module.infer(q, task, loss, 3, 200, 3)
