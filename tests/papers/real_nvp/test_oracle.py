"""The couplings of Real NVP against normflows, with the same weights."""

from __future__ import annotations

import pytest
import torch
from normflows.flows import MaskedAffineFlow
from torch import Tensor, nn

from implementations.core.flow import Flow
from implementations.nice import Coupling
from implementations.real_nvp import (
    Affine,
    MaskedCoupling,
    checkerboard,
    first_channels,
    real_nvp_vector,
    resnet,
)


class ScaleOrShift(nn.Module):
    """s or t of one of our couplings, as normflows wants them: as large as x."""

    def __init__(self, layer: Coupling | MaskedCoupling, which: int) -> None:
        super().__init__()
        self.layer, self.which = layer, which

    def forward(self, x: Tensor) -> Tensor:
        affine = self.layer.univariate
        assert isinstance(affine, Affine)
        if isinstance(self.layer, MaskedCoupling):
            out = self.layer.m(x).unflatten(1, (2, -1))[:, self.which]
        else:
            out = torch.zeros_like(x)
            params = self.layer.m(x[:, self.layer.kept :: 2])
            out[:, self.layer.moved :: 2] = params[:, self.which :: 2]
        return affine.a * out.tanh() if self.which == 0 else out


def twin(layer: Coupling | MaskedCoupling, mask: Tensor) -> MaskedAffineFlow:
    return MaskedAffineFlow(
        mask.double(), t=ScaleOrShift(layer, 1), s=ScaleOrShift(layer, 0)
    ).eval()


def perturb(module: nn.Module) -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))


@pytest.mark.parametrize("mask", [checkerboard((2, 4, 4)), first_channels((4, 2, 2))])
def test_masked_couplings(mask: Tensor) -> None:
    channels = len(mask)
    layer = MaskedCoupling(mask, Affine(), resnet(channels, 2 * channels, 4, 1))
    perturb(layer)
    layer = layer.double().eval()
    x = torch.randn(9, *mask.shape).double()
    theirs = twin(layer, mask)
    close(layer(x), theirs(x))
    close(layer.inverse(x), theirs.inverse(x))


def test_log_density_of_vectors() -> None:
    flow: Flow = real_nvp_vector(5, 6, (8, 8))
    perturb(flow)
    flow = flow.double()
    x = z = torch.randn(9, 5).double()
    total = torch.zeros(9).double()
    for layer in flow.bijection.modules():
        if isinstance(layer, Coupling):
            mask = torch.arange(5) % 2 == layer.kept
            z, log_det = twin(layer, mask)(z)
            total = total + log_det
    normal = torch.distributions.Normal(0.0, 1.0)
    expected = normal.log_prob(z).sum(1) + total
    torch.testing.assert_close(flow.log_prob(x), expected, atol=1e-10, rtol=0)


def close(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]) -> None:
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=0)
