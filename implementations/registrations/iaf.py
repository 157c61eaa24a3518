"""IAF: gated maps, autoregressive in the noise."""

from __future__ import annotations

from functools import partial

from implementations.iaf import Gated, iaf
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

CONTRACTS = Exemption(
    "A hundred IAFs on top of each other",
    "a gate only contracts, σ = 0.88 at first: a hundred lose more than float64 holds",
    promises=("deep_stack",),
    checks=("deep",),
)

REGISTRATION = Registration(
    family="Variational inference",
    cases={
        "gated coupling": Case(lambda: Coupling(5, Gated(), small)),
        "gated autoregressive, conditional": Case(
            lambda: Autoregressive(3, Gated(), (8, 8), context=2)
        ),
        "iaf, 1-d": Case(lambda: iaf(1, 2, (8, 8))),
        "iaf, 2-d": Case(lambda: iaf(2, 2, (8, 8)), exempt=(CONTRACTS,)),
        "iaf, 2-d, conditional": Case(
            lambda: iaf(2, 2, (8, 8), context=3), exempt=(CONTRACTS,)
        ),
        "iaf, 5-d": Case(lambda: iaf(5, 3, (8, 8)), exempt=(CONTRACTS,)),
    },
    compared=(
        Compared("IAF", "autoregressive, inverted", partial(iaf, 2, hidden=HIDDEN)),
    ),
    examined=(
        Examined(
            "IAF",
            lambda dim, layers, context: iaf(dim, layers, (WIDTH, WIDTH), context),
            contextual=True,
            exempt=(CONTRACTS,),
        ),
    ),
)
