"""Tori and spheres: maps of circles, and what is made of them."""

from __future__ import annotations

from implementations.core.flow import Flow
from implementations.core.spaces import Uniform
from implementations.registrations import Case, Exemption, Registration
from implementations.tori_spheres import (
    TURN,
    CircularSpline,
    FreeSpline,
    InTurn,
    Recursive,
    Turned,
    UniformSphere,
    exponential,
    tori_spheres,
)

ALONG = Exemption(
    "tori_spheres, circle",
    "it is a density along a circle, and has no volume in the plane; "
    "tests/papers/tori_spheres/test_facts.py integrates over the sphere.",
    promises=("density_integrates_to_one",),
)

REGISTRATION = Registration(
    family="Manifolds",
    cases={
        "tori_spheres, one angle": Case(lambda: tori_spheres(1, "torus")),
        "tori_spheres, two angles, splines": Case(
            lambda: tori_spheres(2, "torus", lambda: CircularSpline(5), hidden=(8,)),
            float32=1e-3,
        ),
        "tori_spheres, three angles": Case(
            lambda: tori_spheres(3, "torus", hidden=(8, 8))
        ),
        "free splines, two numbers": Case(
            lambda: Flow(
                Uniform((2,), 0.0, TURN),
                InTurn([FreeSpline(4, 0.0, TURN) for _ in range(2)], (8,)),
            )
        ),
        "tori_spheres, circle": Case(lambda: tori_spheres(1), exempt=(ALONG,)),
        "tori_spheres, S²": Case(lambda: tori_spheres(2, bins=6, hidden=(8, 8))),
        "recursive, S³": Case(
            lambda: Flow(
                UniformSphere(3),
                Recursive(
                    InTurn(
                        [FreeSpline(5), FreeSpline(5), Turned(CircularSpline(4))], (8,)
                    )
                ),
            ),
            float64=1e-9,
        ),
        "inverse, S³": Case(lambda: tori_spheres(3, bins=5, hidden=(8,))),
        "exponential, S²": Case(lambda: exponential(2, 2, 3)),
        "exponential, S³": Case(lambda: exponential(3, 1, 5)),
    },
    unmeasured="Tori and spheres: its densities are of angles and directions.",
)
