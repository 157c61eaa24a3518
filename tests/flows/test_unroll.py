"""Inverting masked networks in one go, held against a pass for each component."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.utils.flop_counter import FlopCounterMode

from implementations.core import unroll
from implementations.core.bijection import Inverse, Univariate
from implementations.core.unroll import BLOCK, FEW
from implementations.made import Autoregressive, MaskedMLP
from implementations.nsf import Spline
from implementations.real_nvp import Affine


def perturbed(model: nn.Module) -> nn.Module:
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
    perturbed(layer)
    z = torch.randn(6, dim).double().requires_grad_()
    h = torch.randn(6, context).double() if context else None
    weights = [z, *layer.parameters()]
    expected = by_passes(layer.m, layer.univariate, z, h)
    found, log_det = layer.inverse(z, h)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(log_det, -layer(found, h)[1])
    with torch.no_grad():
        torch.testing.assert_close(layer.inverse(z, h), (found, log_det))
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
    perturbed(m)
    z, h = torch.randn(4, dim).double(), torch.randn(4, 2).double()
    for follows in (True, False):
        with torch.set_grad_enabled(follows):
            found = m.unroll(z, lambda *at: g.inverse(*at)[0], h, k)
        torch.testing.assert_close(found, by_passes(m, g, z, h, k))


@pytest.mark.parametrize("k", [0, 1])
def test_layers_sorted_by_degree_weigh_what_is_not_known_yet_by_0(k: int) -> None:
    m = MaskedMLP(5, 2, (12,), [range(5), [3, 1, 4, 0, 2]], context=1)
    perturbed(m)
    for layer in (*m.hidden, m.output):
        found = layer.by_degree(k)
        rows, columns = (d[k].sort().values for d in (layer.after, layer.before))
        assert torch.equal(found.weight != 0, rows[:, None] >= columns)
        assert found.ends == [int((rows < i).sum()) for i in range(6)]


@pytest.fixture
def wide() -> Autoregressive:
    """A layer of three components and many units."""
    layer = Autoregressive(3, Affine(), (2 * FEW, 2 * FEW))
    perturbed(layer)
    return layer


@pytest.mark.parametrize("few", [0, 3, 1000])
def test_zeros_may_be_shown_or_not(
    few: int, wide: Autoregressive, monkeypatch: pytest.MonkeyPatch
) -> None:
    z = torch.randn(5, 3).double()
    monkeypatch.setattr(unroll, "FEW", few)
    with torch.no_grad():
        found, _ = wide.inverse(z)
    torch.testing.assert_close(found, by_passes(wide.m, wide.univariate, z, None))


def test_a_batch_may_be_empty(wide: Autoregressive) -> None:
    with torch.no_grad():
        assert wide.inverse(torch.zeros(0, 3).double())[0].shape == (0, 3)


def test_transforms_and_autocast_may_follow_without_gradients(
    wide: Autoregressive,
) -> None:
    inverse, z = Inverse(wide), torch.randn(5, 3).double()
    with torch.no_grad():
        expected, _ = inverse(z)
        each = vmap(lambda z: inverse(z[None])[0][0])(z)
        torch.testing.assert_close(each, expected)
        weights = {name: at[None] for name, at in inverse.named_parameters()}
        (each,) = vmap(lambda weights: functional_call(inverse, weights, z)[0])(weights)
        torch.testing.assert_close(each, expected)
        with torch.autocast("cpu", torch.bfloat16):
            rough, _ = inverse.float()(z.float())
    torch.testing.assert_close(rough, expected.float(), rtol=0.05, atol=0.05)


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
