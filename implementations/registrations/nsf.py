"""Neural spline flows: splines as couplings and one component after another."""

from __future__ import annotations

from functools import partial

from implementations.made import Autoregressive
from implementations.nice import Coupling
from implementations.nsf import Linear, Spline, nsf, nsf_autoregressive
from implementations.registrations import Case, Compared, Examined, Registration, small

REGISTRATION = Registration(
    family="Splines",
    cases={
        "spline coupling": Case(lambda: Coupling(4, Spline(5), small)),
        "spline coupling, wide": Case(lambda: Coupling(3, Spline(12, 6.0), small)),
        "linear": Case(lambda: Linear(4)),
        "autoregressive spline": Case(lambda: Autoregressive(4, Spline(5), (8, 8))),
        "nsf, 1-d": Case(lambda: nsf(1, 2, (8, 8), bins=4)),
        "nsf, 1-d, conditional": Case(lambda: nsf(1, 2, (8, 8), bins=4, context=3)),
        "nsf, 2-d": Case(lambda: nsf(2, 2, (8, 8), bins=4)),
        "nsf, 2-d, conditional": Case(lambda: nsf(2, 2, (8, 8), bins=4, context=3)),
        "nsf, 5-d": Case(lambda: nsf(5, 2, (8, 8), bins=4)),
        "nsf autoregressive, 2-d": Case(lambda: nsf_autoregressive(2, 2, (8, 8), 4)),
        "nsf autoregressive, 5-d, conditional": Case(
            lambda: nsf_autoregressive(5, 2, (8, 8), bins=4, context=2)
        ),
    },
    compared=(
        Compared("NSF, coupling", "coupling, spline", partial(nsf, 2)),
        Compared(
            "NSF, autoregressive",
            "autoregressive, spline",
            partial(nsf_autoregressive, 2),
        ),
    ),
    examined=(
        Examined("NSF, coupling", "nsf", contextual=True),
        Examined("NSF, autoregressive", "nsf_autoregressive", contextual=True),
    ),
)
