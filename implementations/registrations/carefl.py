"""CAREFL: affine autoregressive layers of one order, as a causal model."""

from __future__ import annotations

from functools import partial

from implementations.carefl import carefl
from implementations.registrations import (
    HIDDEN,
    WIDTH,
    Case,
    Compared,
    Examined,
    Registration,
)

REGISTRATION = Registration(
    family="Autoregressive flows",
    cases={
        "carefl, 1-d": Case(lambda: carefl(1, 2)),
        "carefl, 2-d": Case(lambda: carefl(2)),
        "carefl, 4-d, another order": Case(lambda: carefl(4, 3, order=(2, 0, 3, 1))),
        "carefl, 2-d, conditional": Case(lambda: carefl(2, 2, context=3)),
    },
    compared=(
        Compared(
            "CAREFL",
            "autoregressive, affine, in one order",
            partial(carefl, 2, hidden=HIDDEN),
        ),
    ),
    examined=(
        Examined(
            "CAREFL",
            lambda dim, layers, context: carefl(
                dim, layers, (WIDTH, WIDTH), context=context
            ),
            contextual=True,
        ),
    ),
)
