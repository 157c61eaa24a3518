"""Graphical flows: affine maps, steered along the arrows of a graph."""

from __future__ import annotations

from functools import partial

from implementations.graphical import GraphicalLayer, graphical
from implementations.nsf import Spline
from implementations.real_nvp import Affine
from implementations.registrations import (
    HIDDEN,
    WIDTH,
    Case,
    Compared,
    Examined,
    Registration,
)

# Each variable depends on the one before it, and on the first.
LADDER = ((), (0,), (0, 1), (0, 2), (0, 3))

REGISTRATION = Registration(
    family="Autoregressive flows",
    cases={
        "graphical layer, no arrow": Case(
            lambda: GraphicalLayer([()] * 3, Affine(), (8,))
        ),
        "graphical layer, splines": Case(
            lambda: GraphicalLayer(((2,), (), (1,)), Spline(4), (8,))
        ),
        "graphical, 1-d": Case(lambda: graphical([()], (8, 8))),
        "graphical, 2-d": Case(lambda: graphical(((1,), ()), (8, 8))),
        "graphical, 2-d, conditional": Case(
            lambda: graphical(((), (0,)), (8, 8), context=3)
        ),
        "graphical, 5-d": Case(lambda: graphical(LADDER, (8, 8))),
    },
    compared=(
        Compared(
            "Graphical flow",
            "autoregressive, affine, by a graph",
            partial(graphical, ((), (0,)), HIDDEN),
        ),
    ),
    examined=(
        Examined(
            "Graphical flow",
            lambda dim, layers, context: graphical(
                [tuple(range(i)) for i in range(dim)], (WIDTH, WIDTH), context
            ),
            contextual=True,
            one=True,
        ),
    ),
)
