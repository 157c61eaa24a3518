"""Rectified flow: velocities learned from straight lines."""

from __future__ import annotations

from implementations.core.odes import FixedSteps
from implementations.core.toy import eight_gaussians
from implementations.rectified_flow import rectified_flow
from implementations.registrations import (
    WIDTH,
    Case,
    Examined,
    Exemption,
    Registration,
)
from implementations.registrations.neural_ode import DERIVED, TORCHDIFFEQ, six_steps

SWISH = Exemption(
    "Velocities with swish",
    "torch has no forward derivative of the derivative of swish",
    promises=("forward_mode_derivatives",),
)

REGISTRATION = Registration(
    family="Continuous flows",
    cases={
        # Both directions, and both determinants, agree as far as six steps are exact.
        "rectified_flow, 2-d, solver without writes": Case(
            lambda: rectified_flow(2, (8, 8), six_steps),
            float64=1e-5,
            exempt=(DERIVED, SWISH),
        ),
        "rectified_flow, 3-d, torchdiffeq": Case(
            lambda: rectified_flow(3, (8,), FixedSteps(6)),
            float64=1e-5,
            exempt=(TORCHDIFFEQ, SWISH),
        ),
        "rectified_flow, from data, solver without writes": Case(
            lambda: rectified_flow(2, (8,), six_steps, eight_gaussians()),
            float64=1e-5,
            exempt=(DERIVED, SWISH),
        ),
    },
    unmeasured="Rectified flow: trained by regression; Straight lines measures it.",
    examined=(
        Examined(
            "rectified_flow",
            lambda dim, layers, context: rectified_flow(dim, (WIDTH,)),
            approximate="as exact as ten steps of a Runge-Kutta method",
            one=True,
            exempt=(TORCHDIFFEQ,),
        ),
    ),
)
