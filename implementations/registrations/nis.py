"""Neural importance sampling: couplings of the cube, by areas under densities."""

from __future__ import annotations

from implementations.nis import PiecewiseLinear, nis
from implementations.registrations import Case, Registration

REGISTRATION = Registration(
    family="Sampling",
    cases={
        "nis, 1-d": Case(lambda: nis(1, 2, (8, 8), bins=4, blobs=6)),
        "nis, 2-d": Case(lambda: nis(2, 2, (8, 8), bins=4, blobs=6)),
        "nis, 2-d, conditional": Case(
            lambda: nis(2, 2, (8, 8), bins=4, blobs=6, context=3)
        ),
        "nis, 2-d, linear": Case(
            lambda: nis(2, 2, (8, 8), PiecewiseLinear, bins=4, blobs=6)
        ),
        "nis, 5-d, plain numbers": Case(lambda: nis(5, 2, (8, 8), bins=4, blobs=0)),
        "nis, 5-d, linear, conditional": Case(
            lambda: nis(5, 2, (8, 8), PiecewiseLinear, 4, 6, context=2)
        ),
    },
    unmeasured="NIS: flows on the cube are not compared with those on the plane.",
)
