"""Flow matching: a continuous flow that regression trains."""

from __future__ import annotations

from implementations.core.flow import Flow
from implementations.flow_matching import flow_matching
from implementations.registrations import (
    WIDTH,
    Case,
    Examined,
    Registration,
)
from implementations.registrations.neural_ode import DERIVED, TORCHDIFFEQ, six_steps
from implementations.registrations.rectified_flow import SWISH


def examined(dim: int, layers: int, context: int) -> Flow:
    """Build a small one: a continuous flow has no layers to stack."""
    return flow_matching(dim, (WIDTH,))


REGISTRATION = Registration(
    family="Continuous flows",
    cases={
        # Both directions, and both determinants, agree as far as six steps are exact.
        "flow_matching, 2-d, solver without writes": Case(
            lambda: flow_matching(2, (8, 8), six_steps),
            float64=1e-4,
            exempt=(DERIVED, SWISH),
        ),
        "flow_matching, 3-d, torchdiffeq": Case(
            lambda: flow_matching(3, (8, 8)), float64=1e-5, exempt=(TORCHDIFFEQ, SWISH)
        ),
    },
    unmeasured="Flow matching: trained by regression; Straight lines measures it.",
    examined=(
        Examined(
            "flow_matching",
            examined,
            approximate="as exact as 20 steps of a Runge-Kutta method",
            one=True,
            exempt=(TORCHDIFFEQ,),
        ),
    ),
)
