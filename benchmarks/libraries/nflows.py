"""Flows of nflows, from its transforms.

Whole ones have its residual networks of one block, and linear layers between splines;
bare ones have plain networks of two hidden layers, and nothing between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from nflows.distributions import StandardNormal
from nflows.flows import Flow
from nflows.nn.nets import ConvResidualNet, ResidualNet
from nflows.transforms import (
    ActNorm,
    AffineCouplingTransform,
    CompositeTransform,
    InverseTransform,
    LULinear,
    MaskedAffineAutoregressiveTransform,
    MaskedPiecewiseRationalQuadraticAutoregressiveTransform,
    OneByOneConvolution,
    PiecewiseRationalQuadraticCouplingTransform,
    RandomPermutation,
    ReversePermutation,
    SqueezeTransform,
    Transform,
)
from torch import Tensor, nn

from benchmarks.libraries.model import BINS, BOUND, Builder, FlowModel, Mapped
from implementations.core.bijection import Shape


class Nflows(FlowModel):
    """A flow of nflows."""

    def normalise(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return self.flow._transform(x, context)

    def generate(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return self.flow._transform.inverse(z, context)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.flow.log_prob(x, context)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        if context is None:
            return self.flow.sample(n)
        return self.flow.sample(1, context).flatten(0, 1)


def _of(transforms: Iterable[Transform], *shape: int) -> Nflows:
    return Nflows(Flow(CompositeTransform([*transforms]), StandardNormal(shape)))


class PlainNetwork(nn.Sequential):
    """Two hidden layers and ReLU, as couplings of nflows and normflows call them."""

    def __init__(self, width: int, n_in: int, n_out: int) -> None:
        layers: list[nn.Module] = []
        for before, after in pairwise((n_in, width, width, n_out)):
            layers += [nn.Linear(before, after), nn.ReLU()]
        super().__init__(*layers[:-1])
        self.hidden_features = width

    def forward(self, input: Tensor, context: None = None) -> Tensor:
        return super().forward(input)


Networks = Callable[[int, int], Callable[[int, int], nn.Module]]


def _plain(width: int, context: int) -> Callable[[int, int], nn.Module]:
    return partial(PlainNetwork, width)


def _residual(width: int, context: int) -> Callable[[int, int], nn.Module]:
    return partial(
        ResidualNet,
        hidden_features=width,
        context_features=context or None,
        num_blocks=1,
    )


# One block after the first layer makes two hidden layers, where it is plain.
WHOLE_MADE: Mapping[str, Any] = {"num_blocks": 1}
BARE_MADE: Mapping[str, Any] = {"num_blocks": 1, "use_residual_blocks": False}
SPLINE: Mapping[str, Any] = {
    "num_bins": BINS,
    "tails": "linear",
    "tail_bound": BOUND,
}


def mask(dim: int, k: int) -> Tensor:
    """Move every second component, in turn the odd and the even ones."""
    return (torch.arange(dim) + k) % 2


def _real_nvp(
    networks: Networks, dim: int, layers: int, width: int, context: int
) -> Nflows:
    net = networks(width, context)
    parts = (AffineCouplingTransform(mask(dim, k), net) for k in range(layers))
    return _of(parts, dim)


def _reversed(
    layer: Callable[..., Transform], dim: int, layers: int, width: int, context: int
) -> Nflows:
    """Autoregressive layers, and the reverse permutation before each, as in its MAF."""
    parts: list[Transform] = []
    for _ in range(layers):
        parts += [ReversePermutation(dim), layer(dim, width, context or None)]
    return _of(parts, dim)


def _iaf(
    made: Mapping[str, Any], dim: int, layers: int, width: int, context: int
) -> Nflows:
    parts: list[Transform] = []
    for _ in range(layers):
        layer = MaskedAffineAutoregressiveTransform(dim, width, context or None, **made)
        parts += [InverseTransform(layer), ReversePermutation(dim)]
    return _of(parts, dim)


def _bare_nsf(dim: int, layers: int, width: int, context: int) -> Nflows:
    net = _plain(width, context)
    coupling = partial(PiecewiseRationalQuadraticCouplingTransform, **SPLINE)
    return _of((coupling(mask(dim, k), net) for k in range(layers)), dim)


def _nsf(dim: int, layers: int, width: int, context: int) -> Nflows:
    def coupling(k: int) -> Transform:
        net = _residual(width, context)
        return PiecewiseRationalQuadraticCouplingTransform(mask(dim, k), net, **SPLINE)

    return _between_linear(coupling, dim, layers)


def _nsf_autoregressive(dim: int, layers: int, width: int, context: int) -> Nflows:
    def autoregressive(k: int) -> Transform:
        return MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
            dim, width, context or None, **SPLINE, **WHOLE_MADE
        )

    return _between_linear(autoregressive, dim, layers)


def _between_linear(layer: Callable[[int], Transform], dim: int, layers: int) -> Nflows:
    def linear() -> list[Transform]:
        return [RandomPermutation(dim), LULinear(dim, identity_init=True)]

    parts: list[Transform] = []
    for k in range(layers):
        spline = layer(k)
        parts += [*linear(), spline]
    return _of([*parts, *linear()], dim)


def glow(shape: Shape, layers: int, width: int) -> Nflows:
    """One level of Glow, on images."""
    c, h, w = 4 * shape[0], shape[1] // 2, shape[2] // 2
    net = partial(ConvResidualNet, hidden_channels=width, num_blocks=1)
    parts: list[Transform] = [SqueezeTransform()]
    for k in range(layers):
        moved = [(i + k) % 2 for i in range(c)]
        parts += [ActNorm(c), OneByOneConvolution(c)]
        parts += [AffineCouplingTransform(moved, net)]
    return _of(parts, c, h, w)


iaf: Builder = partial(_iaf, WHOLE_MADE)
_affine = MaskedAffineAutoregressiveTransform
_spline = partial(MaskedPiecewiseRationalQuadraticAutoregressiveTransform, **SPLINE)
WHOLE: Mapping[str, Builder] = {
    "real_nvp": partial(_real_nvp, _residual),
    "maf": partial(_reversed, partial(_affine, **WHOLE_MADE)),
    "nsf": _nsf,
    "nsf_autoregressive": _nsf_autoregressive,
}
BARE: Mapping[str, Builder] = {
    "real_nvp": partial(_real_nvp, _plain),
    "maf": partial(_reversed, partial(_affine, **BARE_MADE)),
    "iaf": partial(_iaf, BARE_MADE),
    "nsf": _bare_nsf,
    "nsf_autoregressive": partial(_reversed, partial(_spline, **BARE_MADE)),
}
