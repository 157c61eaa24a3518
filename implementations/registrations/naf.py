"""NAF: rising networks, autoregressive in the data, with a numerical inverse."""

from __future__ import annotations

from functools import partial

from implementations.made import Autoregressive
from implementations.naf import DenseSigmoidal, Sigmoidal, naf
from implementations.nice import Coupling
from implementations.registrations import (
    HIDDEN,
    WIDTH,
    Case,
    Compared,
    Examined,
    Exemption,
    Registration,
    small,
)
from implementations.registrations.core import TRACED

SHRINKS = Exemption(
    "A hundred NAFs on top of each other",
    "each starts with a slope of 0.7 in the middle, as its units are spread: a hundred "
    "lose more than float64 holds",
    promises=("deep_stack",),
    checks=("deep",),
)

REGISTRATION = Registration(
    family="Autoregressive flows",
    cases={
        "sigmoidal coupling": Case(
            lambda: Coupling(5, Sigmoidal(4), small), exempt=(SHRINKS,)
        ),
        "sigmoidal autoregressive, alike": Case(
            lambda: Autoregressive(3, Sigmoidal(4, 1.0, 0.0), (8, 8))
        ),
        "dense sigmoidal autoregressive, conditional": Case(
            lambda: Autoregressive(3, DenseSigmoidal(3, 2), (8,), context=2),
            exempt=(SHRINKS,),
        ),
        "naf, 1-d": Case(lambda: naf(1, 1, (8,)), exempt=(SHRINKS,)),
        "naf, 2-d": Case(lambda: naf(2, 2, (8,)), exempt=(SHRINKS,)),
        "naf, 2-d, conditional": Case(
            lambda: naf(2, 1, (8,), context=3), exempt=(SHRINKS,)
        ),
        "naf, 5-d": Case(lambda: naf(5, 1, (8,)), exempt=(SHRINKS,)),
    },
    compared=(
        Compared(
            "NAF", "autoregressive, a rising network", partial(naf, 2, hidden=HIDDEN)
        ),
    ),
    examined=(
        Examined(
            "NAF",
            lambda dim, layers, context: naf(dim, layers, (WIDTH, WIDTH), context),
            contextual=True,
            exempt=(SHRINKS, TRACED),
        ),
    ),
)
