"""Default flows: ours as its builder makes it, and each peer's for the same job.

A peer's flow is built from the library's own parts, as its users would. It has as many
layers as ours, and networks of the width at which it has as many parameters.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping

from benchmarks.libraries import nflows, normflows, zuko
from benchmarks.libraries.families import WHOLE, refuse_unequal
from benchmarks.libraries.model import Builder, FlowModel
from benchmarks.libraries.ours import Ours
from implementations.core.bijection import Shape
from implementations.core.flow import Flow
from implementations.core.nets import size
from implementations.glow import glow
from implementations.iaf import iaf
from implementations.maf import maf
from implementations.nsf import nsf, nsf_autoregressive
from implementations.real_nvp import real_nvp_vector

# What Glow is measured on: events of so many numbers are such images.
IMAGE: Shape = (3, 8, 8)
PIXELS = math.prod(IMAGE)
WIDEST = 1024

OURS: Mapping[str, Callable[[int], Flow]] = {
    "real_nvp": real_nvp_vector,
    "maf": maf,
    "iaf": iaf,
    "nsf": nsf,
    "nsf_autoregressive": nsf_autoregressive,
    # The paper's size, 96 steps of width 512, is for larger images and a GPU.
    "glow": lambda dim: glow(IMAGE, levels=1, steps=8, width=64),
}
LAYERS = {
    "real_nvp": 8,
    "maf": 5,
    "iaf": 2,
    "nsf": 4,
    "nsf_autoregressive": 4,
    "glow": 8,
}


def _images(build: Callable[[Shape, int, int], FlowModel]) -> Builder:
    return lambda dim, layers, width, context: build(IMAGE, layers, width)


THEIRS: Mapping[str, Mapping[str, Builder]] = {
    **{
        family: {name: build for name, build in table.items() if name != "ours"}
        for family, table in WHOLE.items()
    },
    # Whole, normflows' goes the other way.
    "maf": {
        "zuko": zuko.WHOLE["maf"],
        "nflows": nflows.WHOLE["maf"],
        "normflows": normflows.maf,
    },
    "iaf": {"zuko": zuko.iaf, "nflows": nflows.iaf, "normflows": normflows.iaf},
    "glow": {"nflows": _images(nflows.glow), "normflows": _images(normflows.glow)},
}
HOLDS = {
    "real_nvp": "8 affine couplings; plain networks with two hidden layers, in nflows "
    "residual ones of a block",
    "maf": "5 affine autoregressive layers, ours each with batch normalisation; plain "
    "masked networks with two hidden layers in ours and zuko, residual ones of a block "
    "in nflows and normflows",
    "iaf": "2 autoregressive layers, ours gated and after a diagonal Gaussian, with "
    "ELU, the others affine, with ReLU; networks as for MAF",
    "nsf": "4 couplings with splines, of 16 bins in ours, 8 in the others; linear "
    "layers between them in all but zuko; plain networks with two hidden layers in "
    "ours and zuko, residual ones of a block in nflows and normflows",
    "nsf_autoregressive": "4 autoregressive layers with splines, otherwise as the "
    "couplings",
    "glow": "one level of 8 steps for images of 3×8×8: normalisation by the first "
    "batch, a 1×1 convolution, an affine coupling; networks of three convolutions, in "
    "nflows residual ones of a block; zuko has no flow for images",
}


def default(family: str, dim: int) -> dict[str, FlowModel]:
    """Build the family's default flow for events of `dim` numbers in each library.

    Raises:
        ValueError: when a parameter count is further from ours than `TOLERANCE`.
    """
    ours = Ours(OURS[family](dim))
    wanted, layers = size(ours), LAYERS[family]
    built: dict[str, FlowModel] = {"ours": ours}
    for name, build in THEIRS[family].items():
        built[name] = as_large(
            lambda width, build=build: build(dim, layers, width, 0), wanted
        )
    return refuse_unequal(family, dim, built)


def as_large(build: Callable[[int], FlowModel], wanted: int) -> FlowModel:
    """Build with the width whose parameter count comes nearest."""
    widths = range(1, WIDEST)
    above = bisect_left(widths, wanted, key=lambda width: size(build(width)))
    near = [build(widths[k]) for k in (above - 1, above) if 0 <= k < len(widths)]
    return min(near, key=lambda model: abs(size(model) - wanted))
