"""Every flow of ours, and what the other libraries have beside them, small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import nflows.transforms as nflows_parts
import normflows
import zuko
from nflows.distributions import StandardNormal as NflowsNormal
from nflows.flows import Flow as NflowsFlow
from nflows.nn.nets import ConvResidualNet

from benchmarks.libraries.adapters import Model, Nflows, Normflows, Ours, Zuko
from benchmarks.libraries.builders import BUILDERS
from implementations.core.bijection import Shape
from implementations.registrations import SMALL_IMAGE as IMAGE
from implementations.registrations import WIDTH, Examined, registrations

# Dimension, layers and the context's width.
Build = Callable[[int, int, int], Model]


@dataclass(frozen=True)
class Subject:
    """A flow to examine.

    `image` has events of shape IMAGE, whatever the dimension asked for. `approximate`
    says why a map or its determinant is only as exact as a solver. `exempt` maps a
    check to the reason why it is not promised; it is run and shown all the same.
    `least` is the least dimension; a flow in `one` piece has no layers to stack.
    """

    library: str
    name: str
    build: Build
    dim: int = 4
    layers: int = 2
    contextual: bool = False
    image: bool = False
    event: Callable[[int], Shape] = lambda dim: (dim,)
    least: int = 1
    one: bool = False
    approximate: str = ""
    exempt: Mapping[str, str] = field(default_factory=dict)

    def shape(self, dim: int) -> Shape:
        """The shape of events of this dimension."""
        return IMAGE if self.image else self.event(dim)


def _shared(family: str, library: str) -> Build:
    build = BUILDERS[family][library]
    return lambda dim, layers, context: build(dim, layers, WIDTH, context)


def _ours(flow: Examined) -> Subject:
    build = flow.build
    return Subject(
        "ours",
        flow.name,
        _shared(build, "ours")
        if isinstance(build, str)
        else lambda dim, layers, context: Ours(build(dim, layers, context)),
        contextual=flow.contextual,
        image=flow.image,
        event=flow.event,
        least=flow.least,
        one=flow.one,
        approximate=flow.approximate,
        exempt=flow.unkept,
    )


OURS = tuple(
    _ours(flow)
    for registration in registrations().values()
    for flow in registration.examined
)


def _zuko_iaf(dim: int, layers: int, context: int) -> Model:
    flow: Any = zuko.flows.MAF(dim, context, layers, hidden_features=(WIDTH, WIDTH))
    turned = [part.inv for part in flow.transform.transforms]
    return Zuko(zuko.flows.Flow(turned, flow.base))


def _zuko_continuous(dim: int, layers: int, context: int) -> Model:
    return Zuko(zuko.flows.CNF(dim, context, hidden_features=(WIDTH,), exact=True))


def _nflows_iaf(dim: int, layers: int, context: int) -> Model:
    parts: list[nflows_parts.Transform] = []
    for _ in range(layers):
        layer = nflows_parts.MaskedAffineAutoregressiveTransform(
            dim, WIDTH, context or None, num_blocks=1
        )
        parts.append(nflows_parts.InverseTransform(layer))
        parts.append(nflows_parts.ReversePermutation(dim))
    flow = NflowsFlow(nflows_parts.CompositeTransform(parts), NflowsNormal([dim]))
    return Nflows(flow)


def _nflows_glow(dim: int, layers: int, context: int) -> Model:
    c, h, w = 4 * IMAGE[0], IMAGE[1] // 2, IMAGE[2] // 2
    net = partial(ConvResidualNet, hidden_channels=WIDTH, num_blocks=1)
    parts: list[nflows_parts.Transform] = [nflows_parts.SqueezeTransform()]
    for k in range(layers):
        mask = [(i + k) % 2 for i in range(c)]
        parts += [
            nflows_parts.ActNorm(c),
            nflows_parts.OneByOneConvolution(c),
            nflows_parts.AffineCouplingTransform(mask, net),
        ]
    base = NflowsNormal([c, h, w])
    return Nflows(NflowsFlow(nflows_parts.CompositeTransform(parts), base))


def _normflows_stack(
    layer: Callable[[int], normflows.flows.Flow], dim: int, layers: int, context: int
) -> Model:
    base = normflows.distributions.DiagGaussian(dim, trainable=False)
    flows = [layer(dim) for _ in range(layers)]
    if context:
        return Normflows(normflows.ConditionalNormalizingFlow(base, flows))
    return Normflows(normflows.NormalizingFlow(base, flows))


def _normflows_maf(dim: int, layers: int, context: int) -> Model:
    def layer(dim: int) -> normflows.flows.Flow:
        made = normflows.flows.MaskedAffineAutoregressive(dim, WIDTH, num_blocks=1)
        return normflows.flows.Reverse(made)

    return _normflows_stack(layer, dim, layers, 0)


def _normflows_glow(dim: int, layers: int, context: int) -> Model:
    c, h, w = 4 * IMAGE[0], IMAGE[1] // 2, IMAGE[2] // 2
    flows = [normflows.flows.GlowBlock(c, WIDTH) for _ in range(layers)]
    base = normflows.distributions.DiagGaussian((c, h, w), trainable=False)
    return Normflows(
        normflows.NormalizingFlow(base, [*flows, normflows.flows.Squeeze()])
    )


def _lipschitz(dim: int) -> normflows.flows.Flow:
    net = normflows.nets.LipschitzMLP([dim, WIDTH, dim], lipschitz_const=0.9)
    return normflows.flows.Residual(net)


PEERS = (
    Subject("zuko", "Real NVP", _shared("real_nvp", "zuko"), contextual=True),
    Subject("zuko", "MAF", _shared("maf", "zuko"), contextual=True),
    Subject("zuko", "IAF", _zuko_iaf, contextual=True),
    Subject("zuko", "NSF, coupling", _shared("nsf", "zuko"), contextual=True),
    Subject(
        "zuko",
        "NSF, autoregressive",
        _shared("nsf_autoregressive", "zuko"),
        contextual=True,
    ),
    Subject(
        "zuko",
        "continuous",
        _zuko_continuous,
        contextual=True,
        approximate="as exact as its adaptive solver",
        one=True,
    ),
    Subject("nflows", "Real NVP", _shared("real_nvp", "nflows"), contextual=True),
    Subject("nflows", "MAF", _shared("maf", "nflows"), contextual=True),
    Subject("nflows", "IAF", _nflows_iaf, contextual=True),
    Subject("nflows", "NSF, coupling", _shared("nsf", "nflows"), contextual=True),
    Subject(
        "nflows",
        "NSF, autoregressive",
        _shared("nsf_autoregressive", "nflows"),
        contextual=True,
    ),
    Subject("nflows", "Glow", _nflows_glow, image=True),
    Subject("normflows", "Real NVP", _shared("real_nvp", "normflows")),
    Subject("normflows", "MAF", _normflows_maf),
    Subject("normflows", "IAF", _shared("maf", "normflows"), contextual=True),
    Subject("normflows", "NSF, coupling", _shared("nsf", "normflows"), contextual=True),
    Subject(
        "normflows",
        "NSF, autoregressive",
        _shared("nsf_autoregressive", "normflows"),
        contextual=True,
    ),
    Subject("normflows", "Glow", _normflows_glow, image=True),
    Subject(
        "normflows",
        "planar",
        lambda dim, layers, context: _normflows_stack(
            lambda d: normflows.flows.Planar((d,)), dim, layers, 0
        ),
    ),
    Subject(
        "normflows",
        "radial",
        lambda dim, layers, context: _normflows_stack(
            lambda d: normflows.flows.Radial((d,)), dim, layers, 0
        ),
    ),
    Subject(
        "normflows",
        "residual",
        lambda dim, layers, context: _normflows_stack(_lipschitz, dim, layers, 0),
        dim=2,
        least=2,
        approximate="the fixed point is sought to 1e-5 squared; exact in 2-d only",
    ),
)
SUBJECTS = OURS + PEERS
