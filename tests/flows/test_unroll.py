"""Inverting masked networks in one go, held against a pass for each component."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from implementations.core.bijection import Univariate
from implementations.core.unroll import BLOCK
from implementations.made import Autoregressive, MaskedMLP
from implementations.nsf import Spline
from implementations.real_nvp import Affine


def shaken(model: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in model.double().parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return model


def by_passes(
    m: MaskedMLP, g: Univariate, z: Tensor, context: Tensor | None, k: int = 0
) -> Tensor:
    """Solve for one component after another, each by a pass of the whole network."""
    x = torch.zeros_like(z)
    for i in m.place[k].argsort().tolist():
        solved, _ = g.inverse(z, m(x, context, k))
        own = torch.arange(z.shape[1]) == i
        x = torch.where(own, solved, x)
    return x


DIMS = [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3]


@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("hidden", [(), (5,), (24, 24)], ids=str)
@pytest.mark.parametrize("dim", DIMS)
def test_it_is_what_a_pass_for_each_component_gives(
    dim: int, hidden: tuple[int, ...], context: int
) -> None:
    order = torch.randperm(dim, generator=torch.Generator().manual_seed(2)).tolist()
    layer = Autoregressive(dim, Affine(), hidden, order, context)
    shaken(layer)
    z = torch.randn(6, dim).double().requires_grad_()
    h = torch.randn(6, context).double() if context else None
    weights = [z, *layer.parameters()]
    expected = by_passes(layer.m, layer.univariate, z, h)
    found, log_det = layer.inverse(z, h)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(log_det, -layer(found, h)[1])
    for a, b in zip(
        *(
            torch.autograd.grad(x.square().sum(), weights, allow_unused=True)
            for x in (found, expected)
        ),
        strict=True,
    ):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize("k", [0, 1])
def test_every_mask_and_direct_weights_count(k: int) -> None:
    dim, g = BLOCK + 4, Affine().double()
    orders = [range(dim), torch.randperm(dim).tolist()]
    m = MaskedMLP(dim, 2, (30, 30), orders, context=2, direct=True)
    shaken(m)
    z, h = torch.randn(4, dim).double(), torch.randn(4, 2).double()
    found = m.unroll(z, lambda *at: g.inverse(*at)[0], h, k)
    torch.testing.assert_close(found, by_passes(m, g, z, h, k))


@pytest.mark.parametrize("univariate", [Affine(), Spline(8)], ids=["affine", "spline"])
@pytest.mark.parametrize("dim", [8, 64])
def test_it_multiplies_less_than_one_pass(dim: int, univariate: Univariate) -> None:
    layer, z = Autoregressive(dim, univariate, (128, 128)), torch.randn(10, dim)
    with torch.no_grad():
        with FlopCounterMode(display=False) as forward:
            layer(z)
        with FlopCounterMode(display=False) as inverse:
            layer.inverse(z)
    assert 0 < inverse.get_total_flops() <= 0.75 * forward.get_total_flops()
