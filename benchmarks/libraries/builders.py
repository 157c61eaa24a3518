"""The same four families, built in each library from its own parts.

Every builder takes the events' dimension, the number of layers, a width of hidden
layers and the context's width. Networks have two hidden layers where a library has
plain ones (ours, zuko, the couplings of normflows), else one residual block, which is
what nflows and normflows have. Splines have 8 bins on [-3, 3], as in their paper.
Permutations and linear layers are those that the library's own flows have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import normflows
import torch
import zuko
from nflows.distributions import StandardNormal
from nflows.flows import Flow
from nflows.nn.nets import ResidualNet
from nflows.transforms import (
    AffineCouplingTransform,
    CompositeTransform,
    LULinear,
    MaskedAffineAutoregressiveTransform,
    MaskedPiecewiseRationalQuadraticAutoregressiveTransform,
    PiecewiseRationalQuadraticCouplingTransform,
    RandomPermutation,
    ReversePermutation,
    Transform,
)
from torch import Tensor, nn

from benchmarks.libraries.adapters import Model, Nflows, Normflows, Ours, Zuko
from implementations.core.bijection import Bijection, Compose, Mapped, Univariate
from implementations.core.flow import Flow as OurFlow
from implementations.core.flow import StandardNormal as OurNormal
from implementations.core.nets import mlp, relu
from implementations.made import Autoregressive
from implementations.nice import Coupling, Scaling
from implementations.nsf import Spline
from implementations.real_nvp import Affine

BINS, BOUND = 8, 3.0
Builder = Callable[[int, int, int, int], Model]


class _SoftAffine(Univariate):
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
        s, t = params.unbind(-1)
        return s / (1 + s.abs() / 7), t


class _Standardised(Bijection):
    """z = exp(s) ⊙ x + b, such that a first batch has mean 0 and variance 1."""

    def __init__(self, dim: int) -> None:
        super().__init__((dim,))
        self.s = nn.Parameter(torch.zeros(dim))
        self.b = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return x * self.s.exp() + self.b, self.s.sum().expand(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return (z - self.b) * (-self.s).exp(), -self.s.sum().expand(len(z))

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Tensor | None = None) -> None:
        std, mean = torch.std_mean(x, 0)
        self.s.copy_(-std.log())
        self.b.copy_(-mean / std)


class _Dealt(Bijection):
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


def _our_coupling(dim: int, layers: int, width: int, context: int) -> Model:
    # What is normalised forgets how large its inputs are: good for sharp densities, not
    # for means that go on growing, as on a banana's arms.
    activation = relu if context else partial(_normalised, width)
    net = partial(mlp, hidden=(width, width), activation=activation)
    parts: list[Bijection] = [_Standardised(dim)]
    for k in range(layers):
        if dim > 2 and not context and k and k % 2 == 0:
            parts.append(_Dealt(dim))
        parts.append(Coupling(dim, _SoftAffine(), net, k % 2 == 1, context))
    return Ours(OurFlow(OurNormal((dim,)), Compose(*parts)))


def _normalised(width: int) -> nn.Module:
    return nn.Sequential(nn.LayerNorm(width), relu())


def _our_maf(dim: int, layers: int, width: int, context: int) -> Model:
    # As in `maf`, but without batch normalisation, which the others leave out.
    return Ours(
        OurFlow(
            OurNormal((dim,)), Compose(*_turns(Affine, dim, layers, width, context))
        )
    )


class _EagerSpline(Spline):
    """Its parameters weigh twice, so that a short training bends it more."""

    def forward(self, x: Tensor, params: Tensor) -> Mapped:
        return super().forward(x, 2 * params)

    def inverse(self, z: Tensor, params: Tensor) -> Mapped:
        return super().inverse(z, 2 * params)


def _our_spline_coupling(dim: int, layers: int, width: int, context: int) -> Model:
    net = partial(mlp, hidden=(width, width))
    couplings = [
        Coupling(dim, _EagerSpline(BINS, BOUND), net, k % 2 == 1, context)
        for k in range(layers)
    ]
    return _our_splines(dim, couplings)


def _our_spline_autoregressive(
    dim: int, layers: int, width: int, context: int
) -> Model:
    spline = partial(_EagerSpline, BINS, BOUND)
    return _our_splines(dim, _turns(spline, dim, layers, width, context))


def _turns(
    univariate: Callable[[], Univariate],
    dim: int,
    layers: int,
    width: int,
    context: int,
) -> list[Autoregressive]:
    """Autoregressive layers, in turn from the first and from the last component."""
    turns = (range(dim)[:: -1 if k % 2 else 1] for k in range(layers))
    hidden = (width, width)
    return [Autoregressive(dim, univariate(), hidden, turn, context) for turn in turns]


class _Fitted(Scaling):
    """Scales after which a first batch just fits into the splines' box."""

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Tensor | None = None) -> None:
        self.s.copy_((BOUND / x.abs().amax(0)).log())


def _our_splines(dim: int, layers: Sequence[Bijection]) -> Model:
    # Scales where `nsf` has linear layers, which end worse after so few steps.
    pairs = [part for layer in layers for part in (_Fitted(dim), layer)]
    return Ours(OurFlow(OurNormal((dim,)), Compose(*pairs, _Fitted(dim))))


def _zuko_coupling(dim: int, layers: int, width: int, context: int) -> Model:
    hidden = (width, width)
    return Zuko(zuko.flows.NICE(dim, context, layers, hidden_features=hidden))


def _zuko_maf(dim: int, layers: int, width: int, context: int) -> Model:
    hidden = (width, width)
    return Zuko(zuko.flows.MAF(dim, context, layers, hidden_features=hidden))


def _zuko_spline(
    flow: Callable[..., zuko.flows.Flow],
    dim: int,
    layers: int,
    width: int,
    context: int,
) -> Model:
    # Its NSF is its MAF with this map, on a box of 5 that cannot be changed there.
    spline = partial(zuko.transforms.MonotonicRQSTransform, bound=BOUND)
    return Zuko(
        flow(
            dim,
            context,
            layers,
            univariate=spline,
            shapes=[(BINS,), (BINS,), (BINS - 1,)],
            hidden_features=(width, width),
        )
    )


def _nflows(transforms: list[Transform], dim: int) -> Model:
    return Nflows(Flow(CompositeTransform(transforms), StandardNormal([dim])))


def _residual_net(width: int, context: int) -> Callable[[int, int], ResidualNet]:
    return partial(
        ResidualNet,
        hidden_features=width,
        context_features=context or None,
        num_blocks=1,
    )


def _mask(dim: int, k: int) -> Tensor:
    """Move every second component, in turn the odd and the even ones."""
    return (torch.arange(dim) + k) % 2


def _nflows_coupling(dim: int, layers: int, width: int, context: int) -> Model:
    net = _residual_net(width, context)
    return _nflows(
        [AffineCouplingTransform(_mask(dim, k), net) for k in range(layers)], dim
    )


def _nflows_maf(dim: int, layers: int, width: int, context: int) -> Model:
    parts: list[Transform] = []
    for _ in range(layers):
        parts += [
            ReversePermutation(dim),
            MaskedAffineAutoregressiveTransform(
                dim, width, context or None, num_blocks=1
            ),
        ]
    return _nflows(parts, dim)


def _nflows_spline_coupling(dim: int, layers: int, width: int, context: int) -> Model:
    parts: list[Transform] = []
    for k in range(layers):
        spline = PiecewiseRationalQuadraticCouplingTransform(
            _mask(dim, k),
            _residual_net(width, context),
            num_bins=BINS,
            tails="linear",
            tail_bound=BOUND,
        )
        parts += [RandomPermutation(dim), LULinear(dim, identity_init=True), spline]
    return _nflows(
        [*parts, RandomPermutation(dim), LULinear(dim, identity_init=True)], dim
    )


def _nflows_spline_autoregressive(
    dim: int, layers: int, width: int, context: int
) -> Model:
    parts: list[Transform] = []
    for _ in range(layers):
        spline = MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
            dim,
            width,
            context or None,
            num_bins=BINS,
            tails="linear",
            tail_bound=BOUND,
            num_blocks=1,
        )
        parts += [RandomPermutation(dim), LULinear(dim, identity_init=True), spline]
    return _nflows(
        [*parts, RandomPermutation(dim), LULinear(dim, identity_init=True)], dim
    )


def _normflows(flows: list[normflows.flows.Flow], dim: int, context: int) -> Model:
    base = normflows.distributions.DiagGaussian(dim, trainable=False)
    if context:
        return Normflows(normflows.ConditionalNormalizingFlow(base, flows))
    return Normflows(normflows.NormalizingFlow(base, flows))


def _normflows_coupling(dim: int, layers: int, width: int, context: int) -> Model:
    if context:
        raise NotImplementedError("normflows' affine couplings take no context")
    kept = (dim + 1) // 2
    flows: list[normflows.flows.Flow] = []
    for _ in range(layers):
        sizes = [kept, width, width, 2 * (dim - kept)]
        net = normflows.nets.MLP(sizes, init_zeros=True)
        flows.append(normflows.flows.AffineCouplingBlock(net))
        flows.append(normflows.flows.Permute(dim, mode="swap"))
    return _normflows(flows, dim, context)


def _normflows_maf(dim: int, layers: int, width: int, context: int) -> Model:
    # As it comes, autoregressive in the noise: reversed, it could only contract.
    flows: list[normflows.flows.Flow] = []
    for _ in range(layers):
        flows.append(
            normflows.flows.MaskedAffineAutoregressive(
                dim, width, context or None, num_blocks=1
            )
        )
        # Its random permutations leave every second pair as it is.
        flows.append(normflows.flows.Permute(dim, mode="swap"))
    return _normflows(flows, dim, context)


def _normflows_spline(
    spline: Callable[..., normflows.flows.Flow],
    dim: int,
    layers: int,
    width: int,
    context: int,
) -> Model:
    flows: list[normflows.flows.Flow] = []
    for _ in range(layers):
        flows.append(spline(dim, 1, width, context or None, BINS, tail_bound=BOUND))
        flows.append(normflows.flows.LULinearPermute(dim))
    return _normflows(flows, dim, context)


LIBRARIES = ("ours", "zuko", "nflows", "normflows")
BUILDERS: dict[str, dict[str, Builder]] = {
    "real_nvp": {
        "ours": _our_coupling,
        "zuko": _zuko_coupling,
        "nflows": _nflows_coupling,
        "normflows": _normflows_coupling,
    },
    "maf": {
        "ours": _our_maf,
        "zuko": _zuko_maf,
        "nflows": _nflows_maf,
        "normflows": _normflows_maf,
    },
    "nsf": {
        "ours": _our_spline_coupling,
        "zuko": partial(_zuko_spline, zuko.flows.NICE),
        "nflows": _nflows_spline_coupling,
        "normflows": partial(
            _normflows_spline, normflows.flows.CoupledRationalQuadraticSpline
        ),
    },
    "nsf_autoregressive": {
        "ours": _our_spline_autoregressive,
        "zuko": partial(_zuko_spline, zuko.flows.MAF),
        "nflows": _nflows_spline_autoregressive,
        "normflows": partial(
            _normflows_spline, normflows.flows.AutoregressiveRationalQuadraticSpline
        ),
    },
}


def offers(family: str, library: str, context: int) -> bool:
    """Return whether the library has the family, with a context where one is asked."""
    return not (context and library == "normflows" and family == "real_nvp")


def parameters(model: Model) -> int:
    """Count what is learned."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
