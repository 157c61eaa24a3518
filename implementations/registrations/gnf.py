"""GNF: couplings of the nodes of a graph."""

from __future__ import annotations

from functools import partial

from implementations.gnf import HalfStep, Mirror, gnf
from implementations.registrations import (
    GRAPH,
    WIDTH,
    Case,
    Compared,
    Examined,
    Exemption,
    Registration,
)

COUNTED = Exemption(
    "GNF of up to so many nodes",
    "the context is a number of nodes: of -2 or -1 there are none",
    promises=("context_matters",),
)
EMPTY = Exemption(
    "GNF of up to so many nodes",
    "of no nodes the density is 1, whatever the rows hold",
    promises=("nan_row_stays_alone",),
)

REGISTRATION = Registration(
    family="Graphs",
    cases={
        "gnf half-step": Case(lambda: HalfStep(4, 3, 8, swap=False)),
        "gnf half-step, swapped": Case(lambda: HalfStep(3, 5, 8, swap=True)),
        "gnf mirror": Case(lambda: Mirror(3, 4)),
        "gnf, 4 nodes of 2 features": Case(lambda: gnf(4, 2, 2, 8)),
        "gnf, 1 node": Case(lambda: gnf(1, 3, 2, 8)),
        "gnf, up to 4 nodes": Case(
            lambda: gnf(4, 4, 2, 8, sized=True), exempt=(COUNTED, EMPTY)
        ),
    },
    compared=(
        Compared("GNF", "coupling, affine, graphs", partial(gnf, *GRAPH, 4, 32), GRAPH),
    ),
    examined=(
        Examined(
            "GNF",
            lambda dim, layers, context: gnf(dim // 2, 2, layers, WIDTH),
            event=lambda dim: (dim // 2, 2),
            least=2,
        ),
    ),
)
