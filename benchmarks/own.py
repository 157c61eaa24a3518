"""Every flow of ours that is a density, each by its paper's builder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from implementations.core.flow import Base, Flow
from implementations.flows_review import flows_review
from implementations.glow import glow
from implementations.gnf import gnf
from implementations.iaf import iaf
from implementations.made import Gaussian, made
from implementations.maf import maf, maf_mog
from implementations.nice import nice
from implementations.nsf import nsf, nsf_autoregressive
from implementations.real_nvp import real_nvp, real_nvp_vector
from implementations.vi_flows import Planar, Radial, vi_flows

HIDDEN = (64, 64)
PLANE, IMAGE, GRAPH = (2,), (1, 8, 8), (4, 2)


@dataclass(frozen=True)
class Own:
    """One flow: which paper's, what it is called, and how it is built.

    As deep as its builder makes it by default; on the plane its networks have two
    hidden layers of 64, so that what differs is the idea. Those for images and graphs
    are as large as in their notebooks. `log_det` says how log|det| is evaluated.
    """

    paper: str
    name: str
    family: str
    build: Callable[[], Flow | Base]
    shape: tuple[int, ...] = PLANE
    log_det: str = "exact"


def _of_review(name: str) -> Callable[[], Flow]:
    return lambda: flows_review(2)[name]


OWN = (
    Own("nice", "NICE", "coupling, shift", partial(nice, 2, hidden=HIDDEN)),
    Own("made", "MADE", "autoregressive", partial(made, 2, HIDDEN, 1, Gaussian)),
    Own("vi_flows", "Planar", "planar maps", partial(vi_flows, 2, layer=Planar)),
    Own("vi_flows", "Radial", "radial maps", partial(vi_flows, 2, layer=Radial)),
    Own(
        "real_nvp",
        "Real NVP",
        "coupling, affine",
        partial(real_nvp_vector, 2, hidden=HIDDEN),
    ),
    Own(
        "real_nvp",
        "Real NVP, images",
        "coupling, affine, multi-scale",
        partial(real_nvp, IMAGE, 16, 1),
        IMAGE,
    ),
    Own("iaf", "IAF", "autoregressive, inverted", partial(iaf, 2, hidden=HIDDEN)),
    Own("maf", "MAF", "autoregressive, affine", partial(maf, 2, hidden=HIDDEN)),
    Own(
        "maf",
        "MAF MoG",
        "autoregressive, affine, on mixtures",
        partial(maf_mog, 2, hidden=HIDDEN),
    ),
    Own(
        "glow",
        "Glow",
        "coupling, affine, multi-scale",
        partial(glow, IMAGE, 2, 4, 32),
        IMAGE,
    ),
    Own("gnf", "GNF", "coupling, affine, graphs", partial(gnf, *GRAPH, 4, 32), GRAPH),
    Own("nsf", "NSF, coupling", "coupling, spline", partial(nsf, 2)),
    Own(
        "nsf",
        "NSF, autoregressive",
        "autoregressive, spline",
        partial(nsf_autoregressive, 2),
    ),
    Own("flows_review", "Linear", "linear", _of_review("linear")),
    Own("flows_review", "Residual", "contractions", _of_review("residual")),
    Own(
        "flows_review",
        "Continuous",
        "differential equation",
        _of_review("continuous"),
        log_det="as exact as the solver",
    ),
)

# Id of a paper → why none of its flows stands above; shown with the next measurement.
UNMEASURED = {
    "mnf": "Multiplicative flows: their density is that of a network's weights, not of "
    "data.",
}
