"""Sylvester flows: planar maps with many hidden units, of three kinds."""

from __future__ import annotations

from functools import partial

from implementations.registrations import Case, Compared, Examined, Registration
from implementations.sylvester import (
    HouseholderSylvester,
    OrthogonalSylvester,
    TriangularSylvester,
    sylvester,
)

REGISTRATION = Registration(
    family="Variational inference",
    cases={
        "orthogonal Sylvester, 1 of 3": Case(lambda: OrthogonalSylvester(3, 1)),
        "Householder Sylvester, amortised": Case(
            lambda: HouseholderSylvester(2, 2, context=3)
        ),
        "triangular Sylvester, another order": Case(
            lambda: TriangularSylvester(3, (2, 0, 1))
        ),
        "sylvester, 1-d": Case(lambda: sylvester(1, 2)),
        "sylvester, 2-d": Case(lambda: sylvester(2, 2, "householder")),
        "sylvester, 2-d, amortised": Case(
            lambda: sylvester(2, 2, "orthogonal", 1, context=3)
        ),
        "sylvester, 5-d": Case(lambda: sylvester(5, 1, "householder", 3)),
    },
    compared=(
        Compared(
            "Sylvester",
            "planar maps, widened",
            partial(sylvester, 2, kind="householder"),
        ),
    ),
    examined=(
        Examined(
            "Sylvester",
            lambda dim, layers, context: sylvester(
                dim, layers, "householder", context=context
            ),
            contextual=True,
        ),
    ),
)
