"""Facts of the review (Papamakarios et al., 2021), above all of its new flows."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap

from implementations.core.bijection import Bijection, Compose, Inverse
from implementations.core.fit import fit
from implementations.core.flow import Flow, StandardNormal
from implementations.core.numerics import exact_log_det, jacobian, roulette
from implementations.core.toy import eight_gaussians, two_scales
from implementations.flows_review import (
    ConditionalCDF,
    Residual,
    astray,
    flows_review,
    series,
)
from implementations.maf import maf
from implementations.nice import Scaling
from tests.support.perturb import noise

M = TypeVar("M", bound=nn.Module)


def perturbed(module: M, size: float = 0.3) -> M:
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=size)
    return module.double().eval()


def jacobians(f: Bijection, x: Tensor) -> Tensor:
    return torch.stack(
        [torch.autograd.functional.jacobian(lambda x: f(x[None])[0][0], y) for y in x]
    )


def standard_errors(draws: Tensor, truth: float) -> float:
    return abs(draws.mean().item() - truth) / (draws.std().item() / len(draws) ** 0.5)


@pytest.mark.parametrize("mixture", [eight_gaussians(), two_scales()])
def test_the_determinant_of_conditional_cdfs_is_the_density(mixture) -> None:
    f = ConditionalCDF(mixture.double())
    torch.manual_seed(0)
    x = mixture.sample(50)
    z, log_det = f(x)
    jacobian = vmap(jacrev(lambda x: f(x[None])[0][0]))(x)
    assert (jacobian[:, 0, 1] == 0).all()
    exact = torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(log_det, exact, atol=1e-9, rtol=0)
    torch.testing.assert_close(log_det, mixture.log_prob(x), atol=1e-9, rtol=0)
    back, negated = f.inverse(z)
    torch.testing.assert_close(f(back)[0], z, atol=1e-12, rtol=0)
    torch.testing.assert_close(back, x, atol=1e-5, rtol=0)
    torch.testing.assert_close(negated, -f(back)[1], atol=1e-12, rtol=0)


def test_blocks_stretch_and_shrink_within_bounds() -> None:
    """By 1 + L at most, and by 1 - L: log 10 takes 4 blocks of L = 0.9, not 3."""
    block = perturbed(Residual(1, (1,), 0.9), size=3)
    _, j = jacobian(block.g.bounded(), 5 * noise(200, 1))
    assert 0.1 <= (1 + j).min() and (1 + j).max() <= 1.9
    assert 0.85 < j.abs().max() <= 0.9
    assert math.ceil(math.log(10) / math.log(1.9)) == 4


@pytest.mark.parametrize(
    ("slope", "errors"),
    [
        (0.9, (0.516, -0.294, 0.100, -0.031, -0.006)),
        (-0.9, (2.805, 1.995, 0.945, 0.368, 0.079)),
    ],
)
def test_cutting_the_series_off_is_biased(slope: float, errors) -> None:
    """g(x) = slope x in two dimensions: vᵀ J^k v = 2 slope^k for any signs v."""
    x, g = noise(1, 2), partial(torch.mul, slope)
    _, log_det = exact_log_det(g, x)
    assert log_det.item() == pytest.approx(2 * math.log1p(slope))
    for n, error in zip((1, 2, 5, 10, 20), errors, strict=True):
        _, cut = series(g, x, [1.0] * n)
        assert (cut - log_det).item() == pytest.approx(error, abs=6e-4)


@pytest.mark.parametrize("weights", [roulette, partial(roulette, 0, 0.3)])
def test_the_series_is_unbiased_by_roulette(weights: Callable[[], list[float]]) -> None:
    """Within four standard errors, on a block whose slope is 0.5 at most, in 4-d."""
    g = perturbed(Residual(4, (16,), 0.5), size=2).g.bounded()
    torch.manual_seed(0)
    with torch.no_grad():
        x = noise(1, 4).expand(500, 4)
        y, log_det = exact_log_det(g, x)
        draws = [series(g, x, weights()) for _ in range(1000)]
    assert torch.equal(draws[0][0], y)
    each = torch.stack([draw.mean() for _, draw in draws])
    assert log_det[0].abs() > 0.05
    assert each.std() / 1000**0.5 < 0.05 * log_det[0].abs()
    assert standard_errors(each, log_det[0].item()) < 4


def test_so_are_its_gradients() -> None:
    g = perturbed(Residual(3, (8,), 0.5), size=2).g
    x, weight = noise(1, 3).expand(500, 3), g.layers[0].weight

    def gradient(log_det: Tensor) -> Tensor:
        return torch.autograd.grad(log_det.mean(), weight)[0].flatten()

    exact = gradient(exact_log_det(g.bounded(), x)[1])
    torch.manual_seed(0)
    draws = [gradient(series(g.bounded(), x, roulette())[1]) for _ in range(300)]
    worst = max(
        standard_errors(column, truth.item())
        for column, truth in zip(torch.stack(draws).T, exact, strict=True)
    )
    assert worst < 4.5
    assert exact.abs().max() > 0.01


def test_training_on_the_series_works_in_more_dimensions() -> None:
    """Half a unit wide in eight dimensions: 8 log 2 less far from normal."""
    torch.manual_seed(0)
    blocks = [Residual(8, (16,), 0.6) for _ in range(2)]
    flow = Flow(StandardNormal((8,)), Compose(*blocks))
    draw = partial(torch.normal, 0.0, 0.5, (256, 8))

    def estimate(x: Tensor) -> Tensor:
        total = x.new_zeros(len(x))
        for block in blocks:
            y, log_det = series(block.g.bounded(), x, roulette())
            x, total = x + y, total + log_det
        return -(flow.base.log_prob(x) + total).mean()

    fit(flow, estimate, 150, draw, lr=1e-2)
    x = draw()
    truth = -8 * (0.5 * math.log(2 * math.pi * math.e) + math.log(0.5))
    with torch.no_grad():
        gap = truth - flow.log_prob(x).mean().item()
    before = 8 * (math.log(2) + 0.125 - 0.5)
    assert gap < before / 3


@pytest.mark.parametrize("lipschitz", [0.5, 0.9])
def test_the_inverse_keeps_to_banachs_bound(lipschitz: float) -> None:
    block = perturbed(Residual(3, (16, 16), lipschitz, 1e-12), size=3)
    x = 2 * noise(50, 3)
    z, _ = block(x)
    torch.testing.assert_close(block.inverse(z)[0], x, atol=1e-11, rtol=0)
    g, y = block.g.bounded(), z
    first = g(z).norm(dim=1)
    for k in range(1, 30):
        y = z - g(y)
        bound = lipschitz**k / (1 - lipschitz) * first
        assert ((y - x).norm(dim=1) <= bound + 1e-13).all()


def test_seven_families_share_one_interface() -> None:
    torch.manual_seed(0)
    for flow in flows_review(3).values():
        assert flow.eval().sample(2).shape == (2, 3)
        assert flow.log_prob(torch.zeros(2, 3)).isfinite().all()


def test_the_truth_has_nothing_astray() -> None:
    target = eight_gaussians()
    share = astray(Flow(target, Scaling(2)), target)
    assert share == pytest.approx(math.exp(-12.5), abs=2e-6)


def test_the_log_ratio_is_the_same_in_x_and_in_u() -> None:
    """So maximum likelihood of a MAF is reverse KL of an IAF (§2.3.3)."""
    torch.manual_seed(0)
    target = eight_gaussians().double()
    flow = perturbed(maf(2, 2, (8,)), size=0.1)
    backwards = Flow(target, Inverse(flow.bijection))
    x = target.sample(100)
    u = flow.bijection(x)[0]
    in_x = target.log_prob(x) - flow.log_prob(x)
    in_u = backwards.log_prob(u) - flow.base.log_prob(u)
    torch.testing.assert_close(in_x, in_u, atol=1e-9, rtol=0)
