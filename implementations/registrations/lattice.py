"""Lattice field theory: couplings on a torus, whose draws a Markov chain corrects."""

from __future__ import annotations

from implementations.lattice import lattice
from implementations.registrations import Case, Registration

REGISTRATION = Registration(
    family="Sampling",
    cases={
        "lattice, 1×2×2": Case(lambda: lattice(2, 2, (4,))),
        "lattice, 1×4×4": Case(lambda: lattice(4, 3, (4,))),
    },
    unmeasured="It draws fields on a lattice, and is trained without data; its "
    "couplings are those of Real NVP, which are measured and examined.",
)
