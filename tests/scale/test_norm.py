"""Batch normalisation by the whole batch, and by the whole training set."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from implementations.core.bijection import Compose
from implementations.core.flow import Flow, StandardNormal
from implementations.made import Autoregressive
from implementations.scale.builders import (
    FreeAffine,
    maf_normalised,
    real_nvp_normalised,
)
from implementations.scale.norm import GlobalBatchNorm, settle


def perturbed(flow: Flow) -> Flow:
    """The flow with random weights, in float64."""
    torch.manual_seed(0)
    for weights in flow.double().parameters():
        torch.nn.init.normal_(weights, std=0.3)
    return flow


def test_in_training_it_is_the_formula_of_the_paper() -> None:
    layer = GlobalBatchNorm(3).double()
    for weights in layer.parameters():
        torch.nn.init.normal_(weights)
    x = 2 * torch.randn(50, 3).double() + 1
    v = x.var(0, correction=0) + 1e-5
    z, log_det = layer(x)
    expected = (x - x.mean(0)) * v.rsqrt() * layer.gamma.exp() + layer.beta
    torch.testing.assert_close(z, expected)
    slopes = (layer.gamma - 0.5 * v.log()).sum()
    torch.testing.assert_close(log_det, slopes.expand(50))


def test_gradients_flow_through_the_statistics() -> None:
    layer = GlobalBatchNorm(2).double()

    def f(x: torch.Tensor) -> torch.Tensor:
        z, log_det = layer(x)
        return z.pow(3).sum() - log_det.sum()

    x = torch.randn(7, 2).double().requires_grad_()
    assert torch.autograd.gradcheck(f, (x,))


def test_settled_statistics_are_those_of_the_whole_set_layer_after_layer() -> None:
    flow = perturbed(maf_normalised(4, 3, (8,)))
    x = 3 * torch.randn(57, 4).double() - 1
    settle(flow, x, None, rows=10)
    assert not flow.training
    settled = flow.log_prob(x)
    # In training, the statistics are those of the batch, which here is the whole set.
    torch.testing.assert_close(flow.train().log_prob(x), settled)


@pytest.mark.parametrize("build", [maf_normalised, real_nvp_normalised])
def test_settled_it_is_a_bijection_with_its_log_determinant(
    build: Callable[..., Flow],
) -> None:
    f = perturbed(build(4, 2, (8,)))
    settle(f, torch.randn(30, 4).double(), None, rows=30)
    x = torch.randn(5, 4).double()
    z, log_det = f.bijection(x)
    back, minus = f.bijection.inverse(z)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(minus, -log_det)
    for row, expected in zip(x, log_det, strict=True):
        matrix = torch.autograd.functional.jacobian(
            lambda x: f.bijection(x[None])[0][0], row
        )
        assert isinstance(matrix, torch.Tensor)
        torch.testing.assert_close(torch.linalg.slogdet(matrix).logabsdet, expected)


def test_one_event_has_no_variance() -> None:
    with pytest.raises(ValueError, match="expected more than 1 event in training"):
        GlobalBatchNorm(2)(torch.ones(1, 2))


def test_a_layer_inside_another_is_told() -> None:
    inner = Compose(Autoregressive(2, FreeAffine()), GlobalBatchNorm(2))
    flow = Flow(StandardNormal((2,)), Compose(inner))
    with pytest.raises(TypeError, match="layer 0 has a GlobalBatchNorm inside"):
        settle(flow, torch.randn(9, 2), None, rows=9)
