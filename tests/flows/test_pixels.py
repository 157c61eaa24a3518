"""Pixels become logits, and likelihoods bits, as the formulas and autograd say."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.func import jacrev, vmap

from implementations.core.pixels import (
    CIFAR_ALPHA,
    MNIST_ALPHA,
    bits_per_pixel,
    log_slope,
    pixel_log_prob,
    to_logits,
    to_pixels,
    with_noise,
)

ALPHAS = [MNIST_ALPHA, CIFAR_ALPHA]


def seeded(number: int = 0) -> torch.Generator:
    return torch.Generator(torch.get_default_device()).manual_seed(number)


def pixels(*shape: int) -> Tensor:
    return torch.rand(shape, generator=seeded(), dtype=torch.double)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_logits_are_those_of_torch_and_are_undone(alpha: float) -> None:
    x = pixels(5, 3, 2)
    z = to_logits(x, alpha)
    torch.testing.assert_close(z, torch.logit(alpha + (1 - 2 * alpha) * x))
    torch.testing.assert_close(to_pixels(z, alpha), x)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_slope_is_autograd_s(alpha: float) -> None:
    x = pixels(7, 4)
    matrices = vmap(jacrev(lambda row: to_logits(row, alpha)))(x)
    wanted = torch.linalg.slogdet(matrices).logabsdet
    torch.testing.assert_close(log_slope(to_logits(x, alpha), alpha), wanted)
    images = x.view(7, 2, 2)
    torch.testing.assert_close(log_slope(to_logits(images, alpha), alpha), wanted)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_single_precision_is_enough_at_both_ends(alpha: float) -> None:
    levels = torch.tensor([0, 0, 1, 128, 254, 255, 255])
    u = torch.tensor([0, 1e-3, 0.5, 0.3, 0.9, 0.99, 0.9999])
    x = (levels + u) / 256
    single, double = to_logits(x, alpha), to_logits(x.double(), alpha)
    torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=1e-6)
    assert to_logits(torch.tensor([0.0, 1.0]), alpha).isfinite().all()


def test_noise_spreads_each_level_over_its_own_part() -> None:
    levels = torch.arange(256, dtype=torch.uint8).repeat(2000, 1)
    x = with_noise(levels, generator=seeded())
    assert x.dtype == torch.float32
    assert torch.equal((x * 256).floor(), levels.float()) and x.max() < 1
    u = x.double() * 256 - levels
    assert abs(u.mean() - 0.5) < 0.003
    assert abs(u.square().mean() - 1 / 3) < 0.003


@pytest.mark.parametrize("levels", [256, 17, 3])
def test_the_largest_noise_does_not_reach_the_next_level(
    levels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rand(shape: torch.Size, **settings: object) -> Tensor:
        return torch.full(shape, 1 - 2**-24)

    monkeypatch.setattr(torch, "rand", rand)
    images = torch.arange(levels, dtype=torch.uint8)
    x = with_noise(images, levels)
    assert x.max() < 1
    assert (x.double() < (images.double() + 1) / levels).all()


def test_the_same_generator_gives_the_same_noise() -> None:
    images = torch.zeros(3, 4, 4, dtype=torch.uint8)
    first, again = (with_noise(images, generator=seeded(1)) for _ in range(2))
    assert torch.equal(first, again)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_density_of_logits_is_one_of_pixels(alpha: float) -> None:
    # Of z logistic, x is uniform but for the ends that α cuts off.
    x = torch.linspace(0, 1, 1001, dtype=torch.double)[:, None]
    z = to_logits(x, alpha)
    log_p = (z - 2 * torch.nn.functional.softplus(z)).sum(1)
    found = pixel_log_prob(log_p, z, alpha)
    wanted = torch.full_like(found, math.log(1 - 2 * alpha))
    torch.testing.assert_close(found, wanted)


def test_a_uniform_density_takes_as_many_bits_as_levels_have() -> None:
    none = torch.zeros(3, dtype=torch.double)
    assert bits_per_pixel(none, 784).tolist() == [8.0] * 3
    assert bits_per_pixel(none, 64, levels=2).tolist() == [1.0] * 3


def test_bits_are_maf_s() -> None:
    """8 - (log p(z) + D log(1-2α) - Σ log σ(z) σ(-z)) / (D log 2), by hand."""
    alpha, z = 1e-6, torch.tensor([[2.0, -1.0], [0.0, 5.0]], dtype=torch.double)
    log_prob = torch.tensor([-3.0, 4.0], dtype=torch.double)
    wanted = []
    for row, log_p in zip(z.tolist(), log_prob.tolist(), strict=True):
        slopes = [1 / (1 + math.exp(-v)) * (1 - 1 / (1 + math.exp(-v))) for v in row]
        total = log_p + 2 * math.log(1 - 2 * alpha) - sum(map(math.log, slopes))
        wanted.append(8 - total / (2 * math.log(2)))
    found = bits_per_pixel(pixel_log_prob(log_prob, z, alpha), 2)
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.double))
