"""Models as the papers' tables have them, where the papers' files have others.

A builder takes the width of its vectors and that of the context, as keywords.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from implementations.core.bijection import (
    Bijection,
    Compose,
    Mapped,
    Univariate,
    by_kind,
)
from implementations.core.flow import Base, Flow, StandardNormal
from implementations.core.nets import mlp
from implementations.made import MADE, Autoregressive, Gaussian
from implementations.maf import mixture_made
from implementations.nice import Coupling
from implementations.scale.norm import GlobalBatchNorm


class FreeAffine(Univariate):
    """z = (x − μ) exp(−α), steered by (μ, α) without a bound (MAF, eq. 4)."""

    n_params = 2
    apart = True

    def forward(self, x: Tensor, params: Tensor) -> Mapped:
        mean, alpha = by_kind(params)
        return (x - mean) * (-alpha).exp(), -alpha

    def inverse(self, z: Tensor, params: Tensor) -> Mapped:
        mean, alpha = by_kind(params)
        return z * alpha.exp() + mean, alpha


class ShiftAndScaleNets(nn.Module):
    """(μ, α) by a network each, with ReLU for μ and tanh for α (MAF, §4)."""

    def __init__(self, n_in: int, n_out: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.shift = mlp(n_in, n_out // 2, hidden)
        self.scale = mlp(n_in, n_out // 2, hidden, nn.Tanh)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack((self.shift(x), self.scale(x)), -1).flatten(1)


def made_gaussian(dim: int, hidden: Sequence[int], context: int = 0) -> MADE:
    """Build MADE with Gaussian conditionals, in the natural order."""
    return MADE(dim, Gaussian(), hidden, context=context, direct=False)


def made_mog(
    dim: int, hidden: Sequence[int], components: int = 10, context: int = 0
) -> MADE:
    """Build MADE MoG, with conditionals of `components` Gaussians."""
    return mixture_made(dim, components, hidden, context)


def _autoregressions(
    dim: int, layers: int, hidden: Sequence[int], context: int
) -> Bijection:
    f: list[Bijection] = []
    for k in range(layers):
        order = range(dim)[:: -1 if k % 2 else 1]
        f.append(Autoregressive(dim, FreeAffine(), hidden, order, context))
        f.append(GlobalBatchNorm(dim))
    return Compose(*f)


def maf_normalised(
    dim: int, layers: int, hidden: Sequence[int], context: int = 0
) -> Flow:
    """Build MAF with unbounded scales and batch normalisation as in appendix B."""
    f = _autoregressions(dim, layers, hidden, context)
    return Flow(StandardNormal((dim,)), f)


def maf_mog_normalised(
    dim: int,
    layers: int,
    hidden: Sequence[int],
    components: int = 10,
    context: int = 0,
) -> Flow:
    """Build MAF MoG: the same on a MADE MoG, trained with it."""
    base: Base = mixture_made(dim, components, hidden, context)
    return Flow(base, _autoregressions(dim, layers, hidden, context))


def real_nvp_normalised(
    dim: int, layers: int, hidden: Sequence[int], context: int = 0
) -> Flow:
    """Build the Real NVP for vectors that MAF's tables compare with."""

    def nets(n_in: int, n_out: int) -> nn.Module:
        return ShiftAndScaleNets(n_in, n_out, hidden)

    f: list[Bijection] = []
    for k in range(layers):
        f.append(Coupling(dim, FreeAffine(), nets, bool(k % 2), context))
        f.append(GlobalBatchNorm(dim))
    return Flow(StandardNormal((dim,)), Compose(*f))
