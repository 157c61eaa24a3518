"""UMNN: the integral of a positive network, one component after another."""

from __future__ import annotations

from functools import partial

from implementations.made import Autoregressive
from implementations.nice import Coupling
from implementations.registrations import (
    HIDDEN,
    WIDTH,
    Case,
    Compared,
    Examined,
    Registration,
    small,
)
from implementations.registrations.core import TRACED
from implementations.umnn import MonotonicNetwork, umnn

REGISTRATION = Registration(
    family="Autoregressive flows",
    cases={
        "monotonic network, coupling": Case(
            lambda: Coupling(4, MonotonicNetwork(3, (8, 8)), small)
        ),
        "monotonic network, few nodes": Case(
            lambda: Autoregressive(3, MonotonicNetwork(3, (8,), 6), (8, 8))
        ),
        "umnn, 1-d": Case(lambda: umnn(1, 1, (8, 8), 3, (8, 8))),
        "umnn, 2-d": Case(lambda: umnn(2, 2, (8, 8), 3, (8, 8))),
        "umnn, 2-d, conditional": Case(
            lambda: umnn(2, 1, (8, 8), 3, (8, 8), context=3)
        ),
        "umnn, 5-d": Case(lambda: umnn(5, 1, (8, 8), 3, (8, 8))),
    },
    compared=(
        Compared(
            "UMNN",
            "autoregressive, integral of a network",
            partial(umnn, 2, hidden=HIDDEN, integrand=(32, 32)),
        ),
    ),
    examined=(
        Examined(
            "UMNN",
            lambda dim, layers, context: umnn(
                dim, layers, (WIDTH, WIDTH), 3, (WIDTH, WIDTH), context=context
            ),
            contextual=True,
            exempt=(TRACED,),
        ),
    ),
)
