"""APT: a conditional autoregressive flow."""

from __future__ import annotations

from functools import partial

from implementations.apt import apt
from implementations.nsf import Spline
from implementations.registrations import (
    HIDDEN,
    WIDTH,
    Case,
    Compared,
    Examined,
    Exemption,
    Registration,
)

OUTSIDE = Exemption(
    "APT's flow with splines",
    "outside of its box a spline is the identity, whatever the context",
    promises=("context_matters",),
)

REGISTRATION = Registration(
    family="Autoregressive flows",
    cases={
        "apt, 1-d, conditional": Case(lambda: apt(1, 2, (8, 8), context=3)),
        "apt, 2-d": Case(lambda: apt(2, 2, (8, 8))),
        "apt, 4-d, conditional": Case(lambda: apt(4, 3, (8, 8), context=5)),
        "apt, 2-d, splines": Case(
            lambda: apt(2, 2, (8, 8), partial(Spline, 5), context=2),
            exempt=(OUTSIDE,),
        ),
    },
    compared=(
        Compared(
            "APT's flow",
            "autoregressive, affine",
            partial(apt, 2, hidden=HIDDEN),
        ),
    ),
    examined=(
        Examined(
            "APT's flow",
            lambda dim, layers, context: apt(
                dim, layers, (WIDTH, WIDTH), context=context
            ),
            contextual=True,
        ),
    ),
)
