"""OT-Flow: a continuous flow along the slope of a potential."""

from __future__ import annotations

from functools import partial

from implementations.core.odes import FixedSteps
from implementations.ot_flow import ot_flow
from implementations.registrations import (
    WIDTH,
    Case,
    Compared,
    Examined,
    Exemption,
    Registration,
)
from implementations.registrations.neural_ode import TORCHDIFFEQ, six_steps

CONVEX = Exemption(
    "Stacks of OT-Flow",
    "half a squared norm is part of each potential, and pulls points together: a "
    "hundred of them by more than arithmetic undoes",
    promises=("deep_stack",),
)

REGISTRATION = Registration(
    family="Continuous flows",
    cases={
        # Both directions, and both determinants, agree as far as six steps are exact.
        "ot_flow, 2-d, solver without writes": Case(
            lambda: ot_flow(2, 4, solve=six_steps),
            float64=1e-3,
            float32=1e-3,
            exempt=(CONVEX,),
        ),
        "ot_flow, 3-d, deeper, solver without writes": Case(
            lambda: ot_flow(3, 4, 2, rank=2, solve=six_steps),
            float64=1e-3,
            float32=1e-3,
            exempt=(CONVEX,),
        ),
        "ot_flow, 1-d, torchdiffeq": Case(
            lambda: ot_flow(1, 4, solve=FixedSteps(24)),
            float64=1e-4,
            float32=1e-3,
            exempt=(TORCHDIFFEQ, CONVEX),
        ),
    },
    compared=(
        Compared(
            "OT-Flow",
            "differential equation",
            partial(ot_flow, 2),
            log_det="as exact as the solver",
        ),
    ),
    examined=(
        Examined(
            "ot_flow",
            lambda dim, layers, context: ot_flow(dim, WIDTH),
            approximate="as exact as eight steps of a Runge-Kutta method",
            one=True,
            exempt=(TORCHDIFFEQ,),
        ),
    ),
)
