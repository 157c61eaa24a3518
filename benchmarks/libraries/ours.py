"""Flows of this project, from its papers' bijections.

Whole ones are tuned for a short training; bare ones are the layers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.libraries.model import BINS, BOUND, Builder, FlowModel, Mapped
from implementations.core.bijection import (
    Bijection,
    Compose,
    DataDependent,
    Inverse,
    Univariate,
    by_kind,
)
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import mlp, relu
from implementations.made import Autoregressive
from implementations.nice import Coupling, Scaling
from implementations.nsf import Spline
from implementations.real_nvp import Affine, real_nvp_vector


class Ours(FlowModel):
    """A flow of this project."""

    flow: Flow

    def normalise(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return self.flow.bijection(x, context)

    def generate(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return self.flow.bijection.inverse(z, context)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.flow.log_prob(x, context)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        return self.flow.sample(n, context)

    def prepare(self, x: Tensor, context: Tensor | None = None) -> None:
        self.flow.initialise(x, context)


def _of(dim: int, layers: Iterable[Bijection]) -> Ours:
    return Ours(Flow(StandardNormal((dim,)), Compose(*layers)))


class SoftAffine(Univariate):
    """z = exp(s) x + t, s = ŝ / (1 + |ŝ| / 7): between -7 and 7, steered by (ŝ, t)."""

    n_params = 2

    def forward(self, x: Tensor, params: Tensor) -> Mapped:
        s, t = self._s_t(params)
        return x * s.exp() + t, s

    def inverse(self, z: Tensor, params: Tensor) -> Mapped:
        s, t = self._s_t(params)
        return (z - t) * (-s).exp(), -s

    @staticmethod
    def _s_t(params: Tensor) -> tuple[Tensor, Tensor]:
        s, t = by_kind(params)
        return s / (1 + s.abs() / 7), t


class Standardised(DataDependent):
    """z = exp(s) ⊙ x + b, such that a first batch has mean 0 and variance 1."""

    def __init__(self, dim: int) -> None:
        super().__init__((dim,))
        self.s = nn.Parameter(torch.zeros(dim))
        self.b = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return x * self.s.exp() + self.b, self.s.sum().expand(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return (z - self.b) * (-self.s).exp(), -self.s.sum().expand(len(z))

    def set_from(self, x: Tensor, context: Tensor | None) -> None:
        std, mean = torch.std_mean(x, 0)
        self.s.copy_(-std.log())
        self.b.copy_(-mean / std)


class Dealt(Bijection):
    """Components dealt to two hands: the even ones, then the odd ones."""

    order: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__((dim,))
        hands = torch.arange(0, dim, 2), torch.arange(1, dim, 2)
        self.register_buffer("order", torch.cat(hands))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return x[:, self.order], x.new_zeros(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return z[:, self.order.argsort()], z.new_zeros(len(z))


def _real_nvp(dim: int, layers: int, width: int, context: int) -> Ours:
    # What is normalised forgets how large its inputs are: good for sharp densities, not
    # for means that go on growing, as on a banana's arms.
    activation = relu if context else partial(_normalised, width)
    net = partial(mlp, hidden=(width, width), activation=activation)
    parts: list[Bijection] = [Standardised(dim)]
    for k in range(layers):
        if dim > 2 and not context and k and k % 2 == 0:
            parts.append(Dealt(dim))
        parts.append(Coupling(dim, SoftAffine(), net, k % 2 == 1, context))
    return _of(dim, parts)


def _normalised(width: int) -> nn.Module:
    return nn.Sequential(nn.LayerNorm(width), relu())


def _bare_real_nvp(dim: int, layers: int, width: int, context: int) -> Ours:
    return Ours(real_nvp_vector(dim, layers, (width, width), context))


def _maf(dim: int, layers: int, width: int, context: int) -> Ours:
    # As in `maf`, but without batch normalisation, which the others leave out.
    return _of(dim, _turns(Affine, dim, layers, width, context))


def _iaf(dim: int, layers: int, width: int, context: int) -> Ours:
    maf = _maf(dim, layers, width, context).flow
    return Ours(Flow(maf.base, Inverse(maf.bijection)))


class EagerSpline(Spline):
    """Its parameters weigh twice, so that a short training bends it more."""

    def forward(self, x: Tensor, params: Tensor) -> Mapped:
        return super().forward(x, 2 * params)

    def inverse(self, z: Tensor, params: Tensor) -> Mapped:
        return super().inverse(z, 2 * params)


class Fitted(DataDependent):
    """z = exp(s) ⊙ x, such that a first batch just fits into the splines' box."""

    def __init__(self, dim: int) -> None:
        super().__init__((dim,))
        self.scaling = Scaling(dim)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return self.scaling(x)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return self.scaling.inverse(z)

    def set_from(self, x: Tensor, context: Tensor | None) -> None:
        self.scaling.s.copy_((BOUND / x.abs().amax(0)).log())


def _couplings(
    univariate: Callable[[], Univariate],
    dim: int,
    layers: int,
    width: int,
    context: int,
) -> list[Bijection]:
    net = partial(mlp, hidden=(width, width))
    return [
        Coupling(dim, univariate(), net, k % 2 == 1, context) for k in range(layers)
    ]


def _turns(
    univariate: Callable[[], Univariate],
    dim: int,
    layers: int,
    width: int,
    context: int,
) -> list[Bijection]:
    """Autoregressive layers, in turn from the first and from the last component."""
    turns = (range(dim)[:: -1 if k % 2 else 1] for k in range(layers))
    hidden = (width, width)
    return [Autoregressive(dim, univariate(), hidden, turn, context) for turn in turns]


Layers = Callable[[int, int, int, int], list[Bijection]]


def _fitted(splines: Layers, dim: int, layers: int, width: int, context: int) -> Ours:
    # Scales where `nsf` has linear layers, which end worse after so few steps.
    parts = splines(dim, layers, width, context)
    pairs = [part for layer in parts for part in (Fitted(dim), layer)]
    return _of(dim, [*pairs, Fitted(dim)])


def _alone(splines: Layers, dim: int, layers: int, width: int, context: int) -> Ours:
    return _of(dim, splines(dim, layers, width, context))


_eager = partial(EagerSpline, BINS, BOUND)
_spline = partial(Spline, BINS, BOUND)
WHOLE: Mapping[str, Builder] = {
    "real_nvp": _real_nvp,
    "maf": _maf,
    "nsf": partial(_fitted, partial(_couplings, _eager)),
    "nsf_autoregressive": partial(_fitted, partial(_turns, _eager)),
}
BARE: Mapping[str, Builder] = {
    "real_nvp": _bare_real_nvp,
    "maf": _maf,
    "iaf": _iaf,
    "nsf": partial(_alone, partial(_couplings, _spline)),
    "nsf_autoregressive": partial(_alone, partial(_turns, _spline)),
}
