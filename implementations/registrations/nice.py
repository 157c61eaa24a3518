"""NICE: additive couplings, and scales."""

from __future__ import annotations

from functools import partial

from implementations.core.flow import StandardNormal
from implementations.nice import Coupling, Scaling, Shift, nice
from implementations.registrations import (
    HIDDEN,
    WIDTH,
    Case,
    Compared,
    Examined,
    Registration,
    small,
)

REGISTRATION = Registration(
    family="Coupling flows",
    cases={
        "scaling": Case(lambda: Scaling(5)),
        "additive coupling": Case(lambda: Coupling(4, Shift(), small)),
        "additive coupling, swapped, odd": Case(
            lambda: Coupling(5, Shift(), small, swap=True)
        ),
        "additive coupling, conditional": Case(
            lambda: Coupling(3, Shift(), small, context=2)
        ),
        "nice, 1-d": Case(lambda: nice(1, hidden=(8, 8))),
        "nice, 2-d": Case(lambda: nice(2, hidden=(8, 8))),
        "nice, 2-d, gaussian": Case(
            lambda: nice(2, hidden=(8, 8), base=StandardNormal)
        ),
        "nice, 2-d, conditional": Case(lambda: nice(2, hidden=(8, 8), context=3)),
        "nice, 5-d": Case(lambda: nice(5, hidden=(8, 8))),
    },
    compared=(Compared("NICE", "coupling, shift", partial(nice, 2, hidden=HIDDEN)),),
    examined=(
        Examined(
            "NICE",
            lambda dim, layers, context: nice(
                dim, 2 * layers, (WIDTH, WIDTH), context=context
            ),
            contextual=True,
        ),
    ),
)
