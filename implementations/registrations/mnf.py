"""MNF: flows of the noise that multiplies a network's weights."""

from __future__ import annotations

from implementations.mnf import MNF, MeanFieldLinear, Normal
from implementations.registrations import WIDTH, Case, Examined, Registration

REGISTRATION = Registration(
    family="Bayesian networks",
    cases={
        "diagonal Gaussian": Case(lambda: Normal(3, 1.0)),
        "diagonal Gaussian, conditional": Case(lambda: Normal(3, 1.0, context=2)),
        "q(z) of mnf, 2-d": Case(lambda: MNF(MeanFieldLinear(2, 3), 2, 8).q),
        "r(z | W) of mnf, 2-d": Case(lambda: MNF(MeanFieldLinear(2, 3), 2, 8).r),
        "q(z) of mnf, 1-d": Case(lambda: MNF(MeanFieldLinear(1, 3), 2, 8).q),
    },
    unmeasured="Multiplicative flows: their density is that of a network's weights, "
    "not of data.",
    examined=(
        Examined(
            "MNF's q(z)",
            lambda dim, layers, context: MNF(MeanFieldLinear(dim, 3), layers, WIDTH).q,
        ),
    ),
)
