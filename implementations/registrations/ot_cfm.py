"""OT-CFM: a continuous flow from any source, trained on optimal pairs."""

from __future__ import annotations

from implementations.core.odes import FixedSteps
from implementations.ot_cfm import ot_cfm, ring
from implementations.registrations import (
    WIDTH,
    Case,
    Examined,
    Registration,
)
from implementations.registrations.neural_ode import DERIVED, TORCHDIFFEQ, six_steps

REGISTRATION = Registration(
    family="Continuous flows",
    cases={
        # SELU has a kink, so both directions agree less well than a smooth field's.
        "ot_cfm, 3-d, solver without writes": Case(
            lambda: ot_cfm(3, (8, 8), solve=six_steps), float64=1e-4, exempt=(DERIVED,)
        ),
        "ot_cfm, from eight Gaussians, torchdiffeq": Case(
            lambda: ot_cfm(2, (8, 8), ring(), FixedSteps(6)),
            float64=1e-4,
            exempt=(TORCHDIFFEQ,),
        ),
    },
    unmeasured="OT-CFM: trained by regression; Straight lines measures it.",
    examined=(
        Examined(
            "ot_cfm",
            lambda dim, layers, context: ot_cfm(dim, (WIDTH,)),
            approximate="as exact as eight steps of a Runge-Kutta method",
            one=True,
            exempt=(TORCHDIFFEQ,),
        ),
    ),
)
