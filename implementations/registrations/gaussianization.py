"""Gaussianization flows: kernels in each column, and trained rotations."""

from __future__ import annotations

from functools import partial

from implementations.gaussianization import KernelLayer, Reflections, gaussianization
from implementations.registrations import (
    Case,
    Compared,
    Examined,
    Exemption,
    Registration,
)

SQUEEZED = Exemption(
    "Gaussianization flow",
    "far from its anchors a kernel layer is flatter than data need: a hundred, all "
    "started from the same fifty rows, squeeze some points by e²⁷, and rounding hides "
    "where they were",
    promises=("deep_stack",),
)

REGISTRATION = Registration(
    family="Gaussianization",
    cases={
        "kernel layer": Case(lambda: KernelLayer(3, 5), exempt=(SQUEEZED,)),
        "reflections": Case(lambda: Reflections(3)),
        "gaussianization, 1-d": Case(lambda: gaussianization(1, 2, 5)),
        "gaussianization, 2-d": Case(
            lambda: gaussianization(2, 3, 5), exempt=(SQUEEZED,)
        ),
        "gaussianization, 5-d": Case(
            lambda: gaussianization(5, 2, 5), exempt=(SQUEEZED,)
        ),
    },
    compared=(
        Compared(
            "Gaussianization flow",
            "kernels in each column, rotations",
            partial(gaussianization, 2),
        ),
    ),
    examined=(
        Examined(
            "Gaussianization flow",
            lambda dim, layers, context: gaussianization(dim, layers, 8),
        ),
    ),
)
