"""Flows of normflows, from its layers.

Whole ones have its residual networks of one block (couplings of Real NVP: plain ones of
two hidden layers), and linear layers between splines; bare ones plain networks of two
hidden layers, and at most a permutation between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import normflows
import torch
from normflows.flows import (
    AffineCouplingBlock,
    AutoregressiveRationalQuadraticSpline,
    CoupledRationalQuadraticSpline,
    GlowBlock,
    LULinearPermute,
    MaskedAffineAutoregressive,
    Permute,
    Planar,
    Radial,
    Residual,
    Reverse,
    Squeeze,
)
from normflows.flows.neural_spline.autoregressive import (
    MaskedPiecewiseRationalQuadraticAutoregressive,
)
from normflows.flows.neural_spline.coupling import PiecewiseRationalQuadraticCoupling
from torch import Tensor

from benchmarks.libraries.model import BINS, BOUND, Builder, FlowModel, Mapped
from benchmarks.libraries.nflows import (
    BARE_MADE,
    SPLINE,
    WHOLE_MADE,
    PlainNetwork,
    mask,
)
from implementations.core.bijection import Shape

Layer = normflows.flows.Flow


class Normflows(FlowModel):
    """A flow of normflows, which calls forward what goes from noise to data."""

    flow: normflows.NormalizingFlow

    def normalise(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return self.flow.inverse_and_log_det(x, *_given(context))

    def generate(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return self.flow.forward_and_log_det(z, *_given(context))

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.flow.log_prob(x, *_given(context))

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        with torch.no_grad():
            return self.flow.sample(n, *_given(context))[0]


def _given(context: Tensor | None) -> tuple[Tensor, ...]:
    return () if context is None else (context,)


def _of(layers: Sequence[Layer], shape: int | Shape, context: int = 0) -> Normflows:
    base = normflows.distributions.DiagGaussian(shape, trainable=False)
    if context:
        return Normflows(normflows.ConditionalNormalizingFlow(base, [*layers]))
    return Normflows(normflows.NormalizingFlow(base, [*layers]))


def real_nvp(dim: int, layers: int, width: int, context: int) -> Normflows:
    """Affine couplings, whose halves change places."""
    if context:
        raise NotImplementedError("normflows' affine couplings take no context")
    kept = (dim + 1) // 2
    parts: list[Layer] = []
    for _ in range(layers):
        sizes = [kept, width, width, 2 * (dim - kept)]
        net = normflows.nets.MLP(sizes, init_zeros=True)
        parts += [AffineCouplingBlock(net), Permute(dim, mode="swap")]
    return _of(parts, dim)


def iaf(dim: int, layers: int, width: int, context: int) -> Normflows:
    """Its masked affine layers as they come, autoregressive in the noise."""
    parts: list[Layer] = []
    for _ in range(layers):
        # Its random permutations leave every second pair as it is.
        parts += [_affine(dim, width, context), Permute(dim, mode="swap")]
    return _of(parts, dim, context)


def maf(dim: int, layers: int, width: int, context: int) -> Normflows:
    """The same layers reversed, so that they are autoregressive in the data."""
    return _of([Reverse(_affine(dim, width, 0)) for _ in range(layers)], dim)


def _affine(
    dim: int, width: int, context: int, made: Mapping[str, Any] = WHOLE_MADE
) -> Layer:
    return MaskedAffineAutoregressive(dim, width, context or None, **made)


def _splines(
    spline: Callable[..., Layer], dim: int, layers: int, width: int, context: int
) -> Normflows:
    parts: list[Layer] = []
    for _ in range(layers):
        parts.append(spline(dim, 1, width, context or None, BINS, tail_bound=BOUND))
        parts.append(LULinearPermute(dim))
    return _of(parts, dim, context)


def _bare_maf(
    turned: Callable[[Layer], Layer], dim: int, layers: int, width: int, context: int
) -> Normflows:
    parts: list[Layer] = []
    for _ in range(layers):
        layer = _affine(dim, width, context, BARE_MADE)
        parts += [turned(layer), turned(Permute(dim))]
    return _of(parts, dim, context)


def _bare_nsf(dim: int, layers: int, width: int, context: int) -> Normflows:
    net = partial(PlainNetwork, width)
    coupling = partial(PiecewiseRationalQuadraticCoupling, **SPLINE)
    return _of([Reverse(coupling(mask(dim, k), net)) for k in range(layers)], dim)


def _bare_nsf_autoregressive(
    dim: int, layers: int, width: int, context: int
) -> Normflows:
    layer = partial(
        MaskedPiecewiseRationalQuadraticAutoregressive,
        permute_mask=True,
        **BARE_MADE,
        **SPLINE,
    )
    return _of([Reverse(layer(dim, width)) for _ in range(layers)], dim)


def glow(shape: Shape, layers: int, width: int) -> Normflows:
    """One level of Glow, on images."""
    c, h, w = 4 * shape[0], shape[1] // 2, shape[2] // 2
    return _of([*(GlowBlock(c, width) for _ in range(layers)), Squeeze()], (c, h, w))


def planar(dim: int, layers: int, width: int, context: int) -> Normflows:
    """Planar maps, which have no networks."""
    return _of([Planar((dim,)) for _ in range(layers)], dim)


def radial(dim: int, layers: int, width: int, context: int) -> Normflows:
    """Radial maps, which have no networks."""
    return _of([Radial((dim,)) for _ in range(layers)], dim)


def residual(dim: int, layers: int, width: int, context: int) -> Normflows:
    """Contractions, each with the identity added."""
    net = partial(normflows.nets.LipschitzMLP, lipschitz_const=0.9)
    return _of([Residual(net([dim, width, dim])) for _ in range(layers)], dim)


WHOLE: Mapping[str, Builder] = {
    "real_nvp": real_nvp,
    # Reversed, it could only contract.
    "maf": iaf,
    "nsf": partial(_splines, CoupledRationalQuadraticSpline),
    "nsf_autoregressive": partial(_splines, AutoregressiveRationalQuadraticSpline),
}
BARE: Mapping[str, Builder] = {
    "real_nvp": real_nvp,
    # Its autoregressive layer is quick to sample, so MAF's is the reverse.
    "maf": partial(_bare_maf, Reverse),
    "iaf": partial(_bare_maf, lambda layer: layer),
    "nsf": _bare_nsf,
    "nsf_autoregressive": _bare_nsf_autoregressive,
}
