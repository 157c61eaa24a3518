"""Batch normalisation in few passes is what the formula says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.autograd.forward_ad import dual_level, make_dual, unpack_dual
from torch.func import grad

from implementations.core.normalise import averaged, by_formula

SHAPES = [(7, 3), (2, 1), (5, 3, 4, 2)]


def given(shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor, float, float]:
    torch.manual_seed(0)
    each = (shape[1], *(1 for _ in shape[2:]))
    x = 2 * torch.randn(shape).double() + 1
    mean, var = torch.randn(each).double(), torch.rand(each).double() + 0.5
    return x, mean, var, 0.75, 1e-3


def formula(
    x: Tensor, mean: Tensor, var: Tensor, rho: float, eps: float
) -> tuple[Tensor, ...]:
    return by_formula(x, rho * mean, rho * var, rho, eps)


@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_averages_are_those_of_the_formula(shape: tuple[int, ...]) -> None:
    wanted = formula(*given(shape))
    x, mean, var, *rest = given(shape)
    found = (*averaged(x, mean, var, *rest), mean, var)
    for each, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(each, other)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_gradients_are_true(shape: tuple[int, ...], check: Callable[..., bool]) -> None:
    x, mean, var, *rest = given(shape)

    def map(x: Tensor) -> tuple[Tensor, Tensor]:
        return averaged(x, mean.clone(), var.clone(), *rest)

    assert check(map, x.requires_grad_())


@pytest.mark.parametrize("output", [0, 1])
@pytest.mark.parametrize("shape", SHAPES)
def test_either_output_alone_has_its_gradient(
    shape: tuple[int, ...], output: int
) -> None:
    def gradient(map: Callable[..., tuple[Tensor, ...]]) -> Tensor:
        x, *rest = given(shape)
        x.requires_grad_()
        (dx,) = torch.autograd.grad(map(x, *rest)[output].square().sum(), x)
        return dx

    torch.testing.assert_close(gradient(averaged), gradient(formula))


def test_another_batch_may_come_before_the_backward_pass() -> None:
    x, mean, var, *rest = given((7, 3))
    x.requires_grad_()
    wanted = torch.autograd.grad(formula(x, mean, var, *rest)[0].square().sum(), x)
    z, _ = averaged(x, mean, var, *rest)
    averaged(5 * x.detach(), mean, var, *rest)
    torch.testing.assert_close(torch.autograd.grad(z.square().sum(), x), wanted)


def loss(map: Callable[..., Any], x: Tensor, *rest: Any) -> Tensor:
    z, log_det, *_ = map(x, *rest)
    return z.pow(3).sum() + log_det


def test_torch_func_follows() -> None:
    x, mean, var, *rest = given((7, 3))

    def by(map: Callable[..., Any]) -> Callable[[Tensor], Tensor]:
        return grad(lambda x: loss(map, x, mean.clone(), var.clone(), *rest))

    torch.testing.assert_close(by(averaged)(x), by(formula)(x))


# torch's own
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_forward_mode_follows() -> None:
    x, mean, var, *rest = given((7, 3))

    def by(map: Callable[..., Any]) -> Tensor:
        with dual_level():
            at = make_dual(x, torch.ones_like(x))
            value = loss(map, at, mean.clone(), var.clone(), *rest)
            tangent = unpack_dual(value).tangent
            assert tangent is not None
            return tangent

    torch.testing.assert_close(by(averaged), by(formula))
