"""Out of distribution: couplings for images, by masks of what each of them sees."""

from __future__ import annotations

from functools import partial

from implementations.ood import checkers, dense, ood
from implementations.registrations import SMALL_IMAGE, Case, Registration

REGISTRATION = Registration(
    family="Coupling flows",
    cases={
        "ood, cycle": Case(lambda: ood(SMALL_IMAGE, 4)),
        "ood, checkerboard with a bottleneck": Case(
            lambda: ood(SMALL_IMAGE, 2, checkers, partial(dense, hidden=(8, 2, 8)))
        ),
    },
    unmeasured="Out of distribution: its flows are those of Real NVP with other masks.",
)
