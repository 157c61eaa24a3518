"""Importance weights, against Gaussians whose answers are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from implementations.core.bijection import Inverse
from implementations.core.flow import Flow, StandardNormal
from implementations.core.weights import (
    effective_share,
    effective_share_of_target,
    log_normaliser,
    reverse_kl,
    weigh,
    weighted_mean,
)
from implementations.nice import Scaling

N = 200_000
# Of a normal of standard deviation 1 that answers for one of S, around M.
M, S = 0.3, 0.8


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def standard(dim: int = 1) -> Flow:
    return Flow(StandardNormal((dim,)), Inverse(Scaling(dim)))


def target(x: Tensor) -> Tensor:
    """5 N(M, S²): Z is 5."""
    return Normal(M, S).log_prob(x[:, 0]) + math.log(5)


def test_a_flow_that_is_the_target_has_equal_weights() -> None:
    flow = standard(3)
    _, log_w = weigh(flow, lambda x: -x.square().sum(1) / 2, 100)
    torch.testing.assert_close(log_w, log_w[:1].expand(100), atol=1e-5, rtol=0)
    assert effective_share(log_w) == pytest.approx(1, abs=1e-9)
    log_z = log_normaliser(log_w)
    assert log_z.value == pytest.approx(1.5 * math.log(2 * math.pi), abs=1e-5)
    assert log_z.error < 1e-6


def test_constants_moments_and_their_errors() -> None:
    x, log_w = weigh(standard(), target, N)
    log_z = log_normaliser(log_w)
    assert abs(log_z.value - math.log(5)) < 4 * log_z.error < 0.02
    mean = weighted_mean(x[:, 0].double(), log_w)
    assert abs(mean.value - M) < 4 * mean.error < 0.02
    square = weighted_mean(x[:, 0].double().square(), log_w)
    assert abs(square.value - (M**2 + S**2)) < 4 * square.error < 0.03


def test_errors_are_those_of_repetitions() -> None:
    """The stated standard error is that of many estimates."""
    found = [weigh(standard(), target, 1000) for _ in range(400)]
    for estimates in (
        [log_normaliser(log_w) for _, log_w in found],
        [weighted_mean(x[:, 0].double(), log_w) for x, log_w in found],
    ):
        values = torch.tensor([each.value for each in estimates])
        stated = torch.tensor([each.error for each in estimates]).mean()
        assert stated.item() == pytest.approx(values.std().item(), rel=0.15)


def test_the_effective_share_from_either_side() -> None:
    """E_q[w]² / E_q[w²] has a closed form for normals: v = 2/S² - 1 > 0."""
    v = 2 / S**2 - 1
    second = math.exp(-(M**2) / S**2 + (2 * M / S**2) ** 2 / (2 * v)) / (S**2 * v**0.5)
    exact = 1 / second
    _, log_w = weigh(standard(), target, N)
    assert effective_share(log_w) == pytest.approx(exact, rel=0.01)
    x = M + S * torch.randn(N, 1)
    log_w = target(x).double() - standard().log_prob(x).double()
    assert effective_share_of_target(log_w, math.log(5)) == pytest.approx(exact, 0.01)


def test_a_forgotten_mode_is_seen_from_the_target_alone() -> None:
    """Half of the mass lies 40 away: the flow never goes there, and looks perfect."""
    halves = torch.tensor([0.0, 40.0])

    def two(x: Tensor) -> Tensor:
        return Normal(halves, 1.0).log_prob(x).logsumexp(1) - math.log(2)

    flow = standard()
    _, log_w = weigh(flow, two, 10_000)
    assert effective_share(log_w) > 0.99
    assert log_normaliser(log_w).value == pytest.approx(-math.log(2), abs=1e-3)
    x = halves[torch.randint(2, (10_000,)), None] + torch.randn(10_000, 1)
    log_w = two(x).double() - flow.log_prob(x).double()
    assert effective_share_of_target(log_w, 0.0) < 1e-100


def test_reverse_kl_is_that_of_normals_and_has_gradients() -> None:
    flow = standard()
    value = reverse_kl(flow, target, N)
    exact = math.log(S) + (1 + M**2) / (2 * S**2) - 0.5 - math.log(5)
    assert value.item() == pytest.approx(exact, abs=0.01)
    value.backward()
    assert all(p.grad is not None and p.grad.abs() > 0.1 for p in flow.parameters())
