"""The core's own maps, of which papers are made: it is no paper."""

from __future__ import annotations

from implementations.core.bijection import Compose, Inverse
from implementations.core.reversible import Reversible
from implementations.nice import Coupling, Scaling, Shift
from implementations.nsf import Linear
from implementations.real_nvp import Affine
from implementations.registrations import Case, Exemption, Registration, small

# Shared by the papers whose way back it is.
TRACED = Exemption(
    "Roots found number by number",
    "the way back has 32 steps of a root finder for each number, one number after the "
    "other: torch.compile takes about a minute to trace it, and is given 30 seconds",
    checks=("compile",),
)

REGISTRATION = Registration(
    family="",
    cases={
        "compose": Case(lambda: Compose(Coupling(3, Shift(), small), Scaling(3))),
        "inverse": Case(
            lambda: Inverse(Compose(Coupling(3, Shift(), small, context=2), Scaling(3)))
        ),
        "reversible": Case(
            lambda: Reversible(Coupling(3, Affine(), small, context=2), Linear(3))
        ),
    },
)
