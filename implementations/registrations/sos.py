"""SOS: polynomials whose slopes are sums of squares, autoregressive in the data."""

from __future__ import annotations

import math
from functools import partial

from implementations.made import Autoregressive
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
from implementations.sos import SumOfSquares, sos

UNBOUNDED = Exemption(
    "SOS without a bound",
    "a polynomial without a bound raises a far point to its power, layer after layer",
    promises=("huge_inputs_stay_finite", "deep_stack"),
)

DEEP = Exemption(
    "SOS in deep stacks",
    "up to the bound it is a polynomial: a hundred copies with random weights carry "
    "points of size 4 to 10⁹ and beyond, where the round trip loses its digits",
    promises=("deep_stack",),
    checks=("deep",),
)

REGISTRATION = Registration(
    family="Autoregressive flows",
    cases={
        "sums of squares, coupling": Case(
            lambda: Coupling(4, SumOfSquares(2, 3), small)
        ),
        "sums of squares, affine": Case(
            lambda: Autoregressive(3, SumOfSquares(2, 0), (8, 8))
        ),
        "sum of squares without a bound": Case(
            lambda: Autoregressive(2, SumOfSquares(2, 1, math.inf), (8, 8)),
            exempt=(UNBOUNDED,),
        ),
        "sos, 1-d": Case(lambda: sos(1, 2, hidden=(8, 8))),
        "sos, 2-d": Case(lambda: sos(2, 2, hidden=(8, 8)), exempt=(DEEP,)),
        "sos, 2-d, conditional": Case(
            lambda: sos(2, 2, hidden=(8, 8), context=3), exempt=(DEEP,)
        ),
        "sos, 2-d, degree 9": Case(lambda: sos(2, 2, 5, 4, (8, 8)), exempt=(DEEP,)),
        "sos, 5-d": Case(lambda: sos(5, 2, hidden=(8, 8)), exempt=(DEEP,)),
    },
    compared=(
        Compared("SOS", "autoregressive, polynomial", partial(sos, 2, hidden=HIDDEN)),
    ),
    examined=(
        Examined(
            "SOS",
            lambda dim, layers, context: sos(
                dim, layers, hidden=(WIDTH, WIDTH), context=context
            ),
            contextual=True,
            exempt=(DEEP, TRACED),
        ),
    ),
)
