"""INNs: invertible networks that are trained by discrepancies of samples."""

from __future__ import annotations

from implementations.inn_inverse import blocks, inn_inverse
from implementations.registrations import WIDTH, Case, Registration

REGISTRATION = Registration(
    family="Coupling flows",
    cases={
        "f of inn_inverse, 4-d to 2-d": Case(
            lambda: inn_inverse(4, 2, count=1, hidden=(WIDTH,)).f
        ),
        "f of inn_inverse, 2-d to 1-d, padded": Case(
            lambda: inn_inverse(2, 1, count=2, hidden=(WIDTH,), extra=1).f
        ),
        "blocks of inn_inverse, conditional": Case(
            lambda: blocks(3, 2, (WIDTH,), context=2)
        ),
    },
    unmeasured="Invertible networks for inverse problems: they draw from a posterior, "
    "and are trained without a density.",
)
