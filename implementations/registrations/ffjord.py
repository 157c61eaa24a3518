"""FFJORD: continuous flows with a free network."""

from __future__ import annotations

from functools import partial

from implementations.core.odes import FixedSteps
from implementations.ffjord import ffjord
from implementations.registrations import (
    WIDTH,
    Case,
    Compared,
    Examined,
    Registration,
)
from implementations.registrations.neural_ode import DERIVED, TORCHDIFFEQ, six_steps

REGISTRATION = Registration(
    family="Continuous flows",
    cases={
        # Both directions, and both determinants, agree as far as six steps are exact.
        "ffjord, 2-d, solver without writes": Case(
            lambda: ffjord(2, (8, 8), solve=six_steps), float64=1e-5, exempt=(DERIVED,)
        ),
        "ffjord, 3-d, two blocks, solver without writes": Case(
            lambda: ffjord(3, (8,), blocks=2, solve=six_steps),
            float64=1e-5,
            exempt=(DERIVED,),
        ),
        "ffjord, 3-d, torchdiffeq": Case(
            lambda: ffjord(3, (8, 8), solve=FixedSteps(6)),
            float64=1e-5,
            exempt=(TORCHDIFFEQ,),
        ),
    },
    compared=(
        Compared(
            "FFJORD",
            "differential equation",
            partial(ffjord, 2, (64, 64)),
            log_det="as exact as the solver",
        ),
    ),
    examined=(
        Examined(
            "ffjord",
            lambda dim, layers, context: ffjord(dim, (WIDTH, WIDTH)),
            approximate="as exact as six steps of a Runge-Kutta method",
            one=True,
            exempt=(TORCHDIFFEQ,),
        ),
    ),
)
