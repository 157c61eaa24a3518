"""A level of Glow against normflows, with the same weights."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from normflows.flows import GlowBlock, Squeeze
from torch import Tensor, nn
from torch.distributions import Normal

from implementations.core.flow import Flow
from implementations.glow import (
    LU,
    ActNorm,
    ChannelCoupling,
    Conv1x1,
    Gate,
    Plain,
    glow,
)

STEPS, WIDTH = 3, 6


def copy(norm: ActNorm, mixer: Conv1x1, coupling: ChannelCoupling) -> GlowBlock:
    """Return normflows' step with our weights; their inverse is our direction."""
    lu = isinstance(mixer.matrix, LU)
    block = GlowBlock(4, WIDTH, split_mode="channel_inv", use_lu=lu).double()
    affine, convolution, normalisation = block.flows
    # Theirs is (z - t) exp(-s).
    normalisation.get_parameter("s").copy_(-norm.s[None])
    normalisation.get_parameter("t").copy_(-norm.t * (-norm.s).exp())
    normalisation.get_buffer("data_dep_init_done").fill_(1.0)
    if isinstance(mixer.matrix, LU):
        convolution.get_buffer("P").copy_(mixer.matrix.P)
        convolution.get_buffer("sign_S").copy_(mixer.matrix.sign)
        convolution.get_parameter("log_S").copy_(mixer.matrix.s)
        for triangle in ("L", "U"):
            convolution.get_parameter(triangle).copy_(mixer.matrix.triangles)
    else:
        assert isinstance(mixer.matrix, Plain)
        convolution.get_parameter("W").copy_(mixer.matrix.W)
    theirs = [m for m in affine.modules() if isinstance(m, nn.Conv2d)]
    ours = [m for m in coupling.m.modules() if isinstance(m, nn.Conv2d)]
    for a, b in zip(theirs, ours, strict=True):
        last = a is theirs[-1]
        for name in ("weight", "bias"):
            value = b.get_parameter(name)
            a.get_parameter(name).copy_(interleaved(value) if last else value)
    return block


def interleaved(value: Tensor) -> Tensor:
    """Ours (s, t) as theirs: a shift, subtracted, before each s."""
    s, t = value.chunk(2)
    return torch.stack((-t, s), 1).flatten(0, 1)


@torch.no_grad()
@pytest.mark.filterwarnings("ignore:torch.lu is deprecated")
@pytest.mark.parametrize("matrix", [Plain, LU])
def test_log_density(matrix: type[Plain] | type[LU]) -> None:
    torch.manual_seed(0)
    mix = partial(Conv1x1, matrix=matrix)
    flow: Flow = glow((1, 4, 6), 1, STEPS, WIDTH, Gate, mix).double()
    for parameter in flow.parameters():
        parameter.add_(0.2 * torch.randn_like(parameter))
    x = torch.randn(9, 1, 4, 6).double()
    z, _ = Squeeze().inverse(x)
    total = torch.zeros(9).double()
    layers = list(flow.bijection.get_submodule("layers").children())[1:]
    for norm, mixer, coupling in zip(*[iter(layers)] * 3, strict=True):
        assert isinstance(norm, ActNorm) and isinstance(mixer, Conv1x1)
        assert isinstance(coupling, ChannelCoupling)
        z, log_det = copy(norm, mixer, coupling).inverse(z)
        total = total + log_det
    mean, log_std = flow.base.get_parameter("shared")
    base = Normal(mean, log_std.exp()).log_prob(z.flatten(1)).sum(1)
    ours, log_det = flow.bijection(x)
    torch.testing.assert_close(ours, z, atol=1e-10, rtol=0)
    torch.testing.assert_close(log_det, total, atol=1e-10, rtol=0)
    torch.testing.assert_close(flow.log_prob(x), base + total, atol=1e-10, rtol=0)
