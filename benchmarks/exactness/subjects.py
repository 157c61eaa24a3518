"""Every flow of ours, and what the other libraries have beside them, small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.libraries import nflows, normflows, ours, zuko
from benchmarks.libraries.model import Builder, FlowModel
from implementations.core.bijection import Shape
from implementations.registrations import SMALL_IMAGE as IMAGE
from implementations.registrations import WIDTH, Examined, registrations

# Dimension, layers and the context's width.
Build = Callable[[int, int, int], FlowModel]


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


def _narrow(build: Builder) -> Build:
    return lambda dim, layers, context: build(dim, layers, WIDTH, context)


def _ours(flow: Examined) -> Subject:
    build = flow.build
    return Subject(
        "ours",
        flow.name,
        _narrow(ours.WHOLE[build])
        if isinstance(build, str)
        else lambda dim, layers, context: ours.Ours(build(dim, layers, context)),
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
# Names of those that a maintainer is still to ask.
WAITING = {
    flow.name
    for registration in registrations().values()
    for flow in registration.examined
    if registration.waiting
}


PEERS = (
    Subject("zuko", "Real NVP", _narrow(zuko.WHOLE["real_nvp"]), contextual=True),
    Subject("zuko", "MAF", _narrow(zuko.WHOLE["maf"]), contextual=True),
    Subject("zuko", "IAF", _narrow(zuko.iaf), contextual=True),
    Subject("zuko", "NSF, coupling", _narrow(zuko.WHOLE["nsf"]), contextual=True),
    Subject(
        "zuko",
        "NSF, autoregressive",
        _narrow(zuko.WHOLE["nsf_autoregressive"]),
        contextual=True,
    ),
    Subject(
        "zuko",
        "continuous",
        _narrow(zuko.continuous),
        contextual=True,
        approximate="as exact as its adaptive solver",
        one=True,
    ),
    Subject("nflows", "Real NVP", _narrow(nflows.WHOLE["real_nvp"]), contextual=True),
    Subject("nflows", "MAF", _narrow(nflows.WHOLE["maf"]), contextual=True),
    Subject("nflows", "IAF", _narrow(nflows.iaf), contextual=True),
    Subject("nflows", "NSF, coupling", _narrow(nflows.WHOLE["nsf"]), contextual=True),
    Subject(
        "nflows",
        "NSF, autoregressive",
        _narrow(nflows.WHOLE["nsf_autoregressive"]),
        contextual=True,
    ),
    Subject(
        "nflows",
        "Glow",
        lambda dim, layers, context: nflows.glow(IMAGE, layers, WIDTH),
        image=True,
    ),
    Subject("normflows", "Real NVP", _narrow(normflows.real_nvp)),
    Subject("normflows", "MAF", _narrow(normflows.maf)),
    Subject("normflows", "IAF", _narrow(normflows.iaf), contextual=True),
    Subject(
        "normflows", "NSF, coupling", _narrow(normflows.WHOLE["nsf"]), contextual=True
    ),
    Subject(
        "normflows",
        "NSF, autoregressive",
        _narrow(normflows.WHOLE["nsf_autoregressive"]),
        contextual=True,
    ),
    Subject(
        "normflows",
        "Glow",
        lambda dim, layers, context: normflows.glow(IMAGE, layers, WIDTH),
        image=True,
    ),
    Subject("normflows", "planar", _narrow(normflows.planar)),
    Subject("normflows", "radial", _narrow(normflows.radial)),
    Subject(
        "normflows",
        "residual",
        _narrow(normflows.residual),
        dim=2,
        least=2,
        approximate="the fixed point is sought to 1e-5 squared; exact in 2-d only",
    ),
)
SUBJECTS = OURS + PEERS
