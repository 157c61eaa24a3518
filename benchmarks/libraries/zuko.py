"""Flows of zuko: its own classes, which have no parts to choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import zuko
from torch import Tensor

from benchmarks.libraries.model import BINS, BOUND, Builder, FlowModel, Mapped


class Zuko(FlowModel):
    """A flow of zuko, which builds a distribution for each context."""

    def normalise(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return self.flow(context).transform.call_and_ladj(x)

    def generate(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return self.flow(context).transform.inv.call_and_ladj(z)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.flow(context).log_prob(x)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        return self.flow(context).sample((n,) if context is None else ())


def _flow(
    flow: Callable[..., zuko.flows.Flow],
    dim: int,
    layers: int,
    width: int,
    context: int,
    **univariate: Any,
) -> Zuko:
    hidden = (width, width)
    return Zuko(flow(dim, context, layers, hidden_features=hidden, **univariate))


def iaf(dim: int, layers: int, width: int, context: int) -> Zuko:
    """MAF with each layer turned."""
    flow = zuko.flows.MAF(dim, context, layers, hidden_features=(width, width))
    transform: Any = flow.transform
    turned = [part.inv for part in transform.transforms]
    return Zuko(zuko.flows.Flow(turned, flow.base))


def continuous(dim: int, layers: int, width: int, context: int) -> Zuko:
    """A differential equation, which has no layers."""
    return Zuko(zuko.flows.CNF(dim, context, hidden_features=(width,), exact=True))


# Its NSF is its MAF with this map, on a box of 5 that cannot be changed there.
SPLINE = {
    "univariate": partial(zuko.transforms.MonotonicRQSTransform, bound=BOUND),
    "shapes": [(BINS,), (BINS,), (BINS - 1,)],
}
WHOLE: Mapping[str, Builder] = {
    # Its NICE is affine, as Real NVP.
    "real_nvp": partial(_flow, zuko.flows.NICE),
    "maf": partial(_flow, zuko.flows.MAF),
    "nsf": partial(_flow, zuko.flows.NICE, **SPLINE),
    "nsf_autoregressive": partial(_flow, zuko.flows.MAF, **SPLINE),
}
BARE = {**WHOLE, "iaf": iaf}
