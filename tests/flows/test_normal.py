"""The normal quantile, against SciPy and by its derivatives."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.special import ndtri_exp
from torch import Tensor
from torch.func import jacfwd, jacrev, vmap

from implementations.core.normal import FAR, quantile
from tests.support.perturb import noise


def both(log_p: Tensor) -> tuple[Tensor, Tensor]:
    """log p and log(1 - p), for p ≤ ½."""
    return log_p, (-log_p.exp()).log1p()


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)]
)
def test_quantiles_are_those_of_scipy(dtype: torch.dtype, tolerance: float) -> None:
    log_p = -torch.logspace(math.log10(math.log(2)), 8, 5000, dtype=torch.float64)
    log_p = log_p.to(dtype)
    expected = torch.from_numpy(ndtri_exp(log_p.double().numpy())).to(dtype)
    z = quantile(*both(log_p))
    assert z.dtype == dtype
    torch.testing.assert_close(z, expected, atol=tolerance, rtol=tolerance)
    mirrored = quantile(*reversed(both(log_p)))
    torch.testing.assert_close(mirrored, -expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("log_p", [FAR, math.log(1e-7), -math.log(2), -20.0])
def test_there_is_no_jump(log_p: float) -> None:
    """Programs that change formulas in the tail leave out values: from -5.3 to -5.8."""
    around = torch.tensor([log_p - 1e-9, log_p, log_p + 1e-9], dtype=torch.float64)
    around = around.clamp(max=-math.log(2))
    low, middle, high = quantile(*both(around)).tolist()
    assert low <= middle <= high and high - low < 1e-8


def test_the_middle_is_zero() -> None:
    half = torch.full((1,), -math.log(2))
    assert quantile(half, half).abs() < 1e-7
    slightly_more = half + 1e-7
    assert quantile(slightly_more, slightly_more).abs() < 1e-7


def test_derivatives_are_those_of_differences() -> None:
    log_p = -torch.tensor([0.7, 1, 9.99, 10.01, 50, 800], dtype=torch.float64)
    log_p = log_p.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: quantile(*both(x)), log_p)
    assert torch.autograd.gradgradcheck(lambda x: quantile(*both(x)), log_p)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_transforms_go_through() -> None:
    log_p = -noise(5).square() - 1
    forwards, backwards = (
        vmap(by(lambda x: quantile(*both(x))))(log_p) for by in (jacfwd, jacrev)
    )
    torch.testing.assert_close(forwards, backwards)


def test_gradients_stay_finite_far_out() -> None:
    log_p = torch.tensor([-1e7, -3.0], requires_grad=True)
    quantile(*both(log_p)).sum().backward()
    assert log_p.grad is not None and log_p.grad.isfinite().all()
