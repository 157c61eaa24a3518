"""Couplings that keep their halves apart, held against layers one after another."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor

from implementations.core.bijection import Compose
from implementations.core.couplings import Couplings
from implementations.core.nets import mlp
from implementations.nice import Coupling
from implementations.real_nvp import Affine


def stack(dim: int, swaps: list[bool], context: int) -> list[Coupling]:
    torch.manual_seed(0)
    m = partial(mlp, hidden=(8,))
    layers = [Coupling(dim, Affine(), m, swap, context).double() for swap in swaps]
    with torch.no_grad():
        for layer in layers:
            for weight in layer.parameters():
                weight.add_(0.5 * torch.randn_like(weight))
    return layers


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize(
    "swaps", [[False], [True, False, True], [True, True, False]], ids=str
)
@pytest.mark.parametrize("dim", [1, 2, 3, 6, 7])
def test_it_is_what_layers_give_one_after_another(
    dim: int, swaps: list[bool], context: int
) -> None:
    layers = stack(dim, swaps, context)
    slow, quick = Compose(*layers), Couplings(*layers)
    x = torch.randn(5, dim).double().requires_grad_()
    h = torch.randn(5, context).double() if context else None

    def gradients(y: Tensor, log_det: Tensor) -> tuple[Tensor | None, ...]:
        total = (y.square().sum(1) + log_det).sum()
        return torch.autograd.grad(
            total, [x, *slow.parameters()], allow_unused=True, materialize_grads=True
        )

    for expected, found in (
        (slow(x, h), quick(x, h)),
        (slow.inverse(x, h), quick.inverse(x, h)),
    ):
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(gradients(*found), gradients(*expected))


def test_what_comes_in_is_left_as_it_was() -> None:
    layers = stack(4, [False, True], 0)
    x = torch.randn(3, 4).double()
    before = x.clone()
    Couplings(*layers)(x)
    Couplings(*layers).inverse(x)
    assert torch.equal(x, before)
