"""The same flows from four libraries: ours, zuko, nflows and normflows.

Same mathematics for all: layers of one kind, networks with two hidden layers of 128
and ReLU, splines of 8 bins on [-3, 3], a standard normal base; no batch normalisation
and no linear layers between, which not all of them have. Parameter counts agree within
2 %, and `contenders` checks it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import nflows.distributions.normal
import nflows.flows.base
import nflows.transforms as nflows_transforms
import normflows
import torch
import zuko
from normflows.flows.affine.autoregressive import MaskedAffineAutoregressive
from normflows.flows.neural_spline.autoregressive import (
    MaskedPiecewiseRationalQuadraticAutoregressive,
)
from normflows.flows.neural_spline.coupling import PiecewiseRationalQuadraticCoupling
from torch import Tensor, nn

from implementations.core.bijection import Bijection, Compose, Inverse, Univariate
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import mlp, size
from implementations.made import Autoregressive
from implementations.nice import Coupling
from implementations.nsf import Spline
from implementations.real_nvp import Affine, real_nvp_vector

HIDDEN = (128, 128)
COUPLINGS, LAYERS = 8, 5
BINS, BOUND = 8, 3.0
# How far apart the parameter counts of one family may be.
TOLERANCE = 0.02


@dataclass(frozen=True)
class Contender:
    """One library's flow, behind the two calls that all of them have."""

    model: nn.Module
    log_prob: Callable[[Tensor], Tensor]
    sample: Callable[[int], Tensor]

    @property
    def parameters(self) -> int:
        """The number of learned numbers."""
        return size(self.model)


Build = Callable[[int], Contender]


def contenders(family: str, dim: int) -> dict[str, Contender]:
    """Build the family's flow on vectors of width `dim` in each library.

    Raises:
        ValueError: when parameter counts are further apart than `TOLERANCE`.
    """
    built = {
        name: families[family](dim)
        for name, families in {"ours": OURS, **PEERS}.items()
    }
    counts = {name: each.parameters for name, each in built.items()}
    if max(counts.values()) > (1 + TOLERANCE) * min(counts.values()):
        raise ValueError(
            f"{family}, {dim} dimensions: expected parameter counts within "
            f"{TOLERANCE:.0%} of one another, got {counts}"
        )
    return built


# Ours


def _ours(flow: Flow) -> Contender:
    return Contender(flow, flow.log_prob, flow.sample)


def _stack(dim: int, layer: Callable[[int], Bijection]) -> Flow:
    return Flow(StandardNormal((dim,)), Compose(*map(layer, range(LAYERS))))


def _autoregressive(dim: int, univariate: Callable[[], Univariate]) -> Flow:
    def layer(k: int) -> Bijection:
        order = range(dim)[:: -1 if k % 2 else 1]
        return Autoregressive(dim, univariate(), HIDDEN, order)

    return _stack(dim, layer)


def _spline() -> Spline:
    return Spline(BINS, BOUND)


def _our_iaf(dim: int) -> Contender:
    maf = _autoregressive(dim, Affine)
    return _ours(Flow(maf.base, Inverse(maf.bijection)))


def _our_nsf(dim: int) -> Contender:
    m = partial(mlp, hidden=HIDDEN)
    return _ours(_stack(dim, lambda k: Coupling(dim, _spline(), m, k % 2 == 1)))


OURS: Mapping[str, Build] = {
    "real_nvp": lambda dim: _ours(real_nvp_vector(dim, COUPLINGS, HIDDEN)),
    "maf": lambda dim: _ours(_autoregressive(dim, Affine)),
    "iaf": _our_iaf,
    "nsf": _our_nsf,
    "nsf_autoregressive": lambda dim: _ours(_autoregressive(dim, _spline)),
}

# zuko


def _zuko(flow: zuko.flows.Flow) -> Contender:
    # As its documentation has it: the distribution is built anew for each call.
    return Contender(flow, lambda x: flow().log_prob(x), lambda n: flow().sample((n,)))


def _zuko_iaf(dim: int) -> Contender:
    maf = zuko.flows.MAF(dim, transforms=LAYERS, hidden_features=HIDDEN)
    return _zuko(zuko.flows.Flow(maf.transform.inv, maf.base))


_ZUKO_SPLINE = {
    "univariate": partial(zuko.transforms.MonotonicRQSTransform, bound=BOUND),
    "shapes": [(BINS,), (BINS,), (BINS - 1,)],
}

ZUKO: Mapping[str, Build] = {
    "real_nvp": lambda dim: _zuko(
        zuko.flows.RealNVP(dim, transforms=COUPLINGS, hidden_features=HIDDEN)
    ),
    "maf": lambda dim: _zuko(
        zuko.flows.MAF(dim, transforms=LAYERS, hidden_features=HIDDEN)
    ),
    "iaf": _zuko_iaf,
    "nsf": lambda dim: _zuko(
        zuko.flows.NICE(dim, transforms=LAYERS, hidden_features=HIDDEN, **_ZUKO_SPLINE)
    ),
    "nsf_autoregressive": lambda dim: _zuko(
        zuko.flows.MAF(dim, transforms=LAYERS, hidden_features=HIDDEN, **_ZUKO_SPLINE)
    ),
}

# nflows and normflows, whose splines have one origin


class _Network(nn.Sequential):
    """The network of a coupling, as both libraries call it."""

    hidden_features = HIDDEN[0]

    def __init__(self, n_in: int, n_out: int) -> None:
        layers: list[nn.Module] = []
        for before, after in pairwise((n_in, *HIDDEN, n_out)):
            layers += [nn.Linear(before, after), nn.ReLU()]
        super().__init__(*layers[:-1])

    def forward(self, input: Tensor, context: None = None) -> Tensor:
        return super().forward(input)


_RQ = {"num_bins": BINS, "tails": "linear", "tail_bound": BOUND}
# One block after the first layer makes two hidden layers.
_MADE = {
    "hidden_features": HIDDEN[0],
    "num_blocks": len(HIDDEN) - 1,
    "use_residual_blocks": False,
}


def _mask(dim: int, k: int) -> Tensor:
    return (torch.arange(dim) + k) % 2


def _nflows(dim: int, layers: list[nflows_transforms.Transform]) -> Contender:
    flow = nflows.flows.base.Flow(
        nflows_transforms.CompositeTransform(layers),
        nflows.distributions.normal.StandardNormal([dim]),
    )
    return Contender(flow, flow.log_prob, flow.sample)


def _nflows_turned(dim: int, build: Callable[..., nn.Module], **kwargs: object) -> list:
    """Layers, and the reverse permutation before each, as in its own MAF."""
    return [
        each
        for _ in range(LAYERS)
        for each in (
            nflows_transforms.ReversePermutation(dim),
            build(features=dim, **_MADE, **kwargs),
        )
    ]


def _nflows_affine(dim: int) -> list:
    return _nflows_turned(dim, nflows_transforms.MaskedAffineAutoregressiveTransform)


NFLOWS: Mapping[str, Build] = {
    "real_nvp": lambda dim: _nflows(
        dim,
        [
            nflows_transforms.AffineCouplingTransform(_mask(dim, k), _Network)
            for k in range(COUPLINGS)
        ],
    ),
    "maf": lambda dim: _nflows(dim, _nflows_affine(dim)),
    "iaf": lambda dim: _nflows(
        dim, [nflows_transforms.InverseTransform(each) for each in _nflows_affine(dim)]
    ),
    "nsf": lambda dim: _nflows(
        dim,
        [
            nflows_transforms.PiecewiseRationalQuadraticCouplingTransform(
                _mask(dim, k), _Network, **_RQ
            )
            for k in range(LAYERS)
        ],
    ),
    "nsf_autoregressive": lambda dim: _nflows(
        dim,
        _nflows_turned(
            dim,
            nflows_transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform,
            **_RQ,
        ),
    ),
}


def _normflows(dim: int, layers: list[normflows.flows.Flow]) -> Contender:
    base = normflows.distributions.DiagGaussian(dim, trainable=False)
    flow = normflows.NormalizingFlow(base, layers)
    return Contender(flow, flow.log_prob, lambda n: flow.sample(n)[0])


def _normflows_real_nvp(dim: int) -> Contender:
    layers = []
    for _ in range(COUPLINGS):
        network = normflows.nets.MLP([dim // 2, *HIDDEN, dim])
        layers.append(normflows.flows.AffineCouplingBlock(network))
        layers.append(normflows.flows.Permute(dim, mode="swap"))
    return _normflows(dim, layers)


def _normflows_iaf(dim: int) -> list[normflows.flows.Flow]:
    layers = []
    for _ in range(LAYERS):
        layers.append(MaskedAffineAutoregressive(dim, **_MADE))
        layers.append(normflows.flows.Permute(dim))
    return layers


NORMFLOWS: Mapping[str, Build] = {
    "real_nvp": _normflows_real_nvp,
    # Its autoregressive layer is quick to sample, so MAF's is the reverse.
    "maf": lambda dim: _normflows(
        dim, [normflows.flows.Reverse(each) for each in _normflows_iaf(dim)]
    ),
    "iaf": lambda dim: _normflows(dim, _normflows_iaf(dim)),
    "nsf": lambda dim: _normflows(
        dim,
        [
            normflows.flows.Reverse(
                PiecewiseRationalQuadraticCoupling(_mask(dim, k), _Network, **_RQ)
            )
            for k in range(LAYERS)
        ],
    ),
    "nsf_autoregressive": lambda dim: _normflows(
        dim,
        [
            normflows.flows.Reverse(
                MaskedPiecewiseRationalQuadraticAutoregressive(
                    dim, permute_mask=True, **_MADE, **_RQ
                )
            )
            for _ in range(LAYERS)
        ],
    ),
}

PEERS: Mapping[str, Mapping[str, Build]] = {
    "zuko": ZUKO,
    "nflows": NFLOWS,
    "normflows": NORMFLOWS,
}
