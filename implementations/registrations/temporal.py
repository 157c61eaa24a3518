"""Temporal flows: what steers them is a network's state; Gaussian errors."""

from __future__ import annotations

from implementations.registrations import Case, Registration
from implementations.temporal import ConditionalGaussian, gaussian, temporal

REGISTRATION = Registration(
    family="Coupling flows",
    cases={
        "temporal, 1-d": Case(lambda: temporal(1, 0, 3, 2, 8).emission),
        "temporal, 4-d": Case(lambda: temporal(4, 2, 5, 4, 8).emission),
        "independent errors": Case(lambda: ConditionalGaussian(3, 2, 0, (8,))),
        "some correlated errors": Case(lambda: ConditionalGaussian(4, 3, 1, (8,))),
        "correlated errors": Case(lambda: gaussian(3, 0, 2, 3, 8).emission),
    },
    unmeasured="Temporal flows: one step is a conditional Real NVP, which is measured.",
)
