"""Noise regularisation: radial maps of y, steered by a network that sees x."""

from __future__ import annotations

from implementations.noise_reg import noise_reg
from implementations.registrations import WIDTH, Case, Registration

REGISTRATION = Registration(
    family="Variational inference",
    cases={
        "noise_reg, 1-d, conditional": Case(
            lambda: noise_reg(1, 1, 3, (WIDTH, WIDTH)),
        ),
        "noise_reg, 2-d, conditional": Case(
            lambda: noise_reg(2, 3, 3, (WIDTH, WIDTH)),
        ),
    },
    unmeasured="It is a way to train; its flow is made of radial maps, which are.",
)
