"""Boltzmann generators: affine couplings that learn from examples and an energy."""

from __future__ import annotations

from implementations.boltzmann import boltzmann
from implementations.registrations import WIDTH, Case, Registration

REGISTRATION = Registration(
    family="Sampling",
    cases={
        "boltzmann, 1-d": Case(lambda: boltzmann(1, 2, (WIDTH, WIDTH))),
        "boltzmann, 2-d": Case(lambda: boltzmann(2, 2, (WIDTH, WIDTH))),
        "boltzmann, 5-d": Case(lambda: boltzmann(5, 2, (WIDTH, WIDTH))),
    },
    unmeasured="It is a way to train; its flow is made of Real NVP's couplings.",
)
