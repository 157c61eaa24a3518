"""Equivariant flows: particles whose density keeps rotations and permutations."""

from __future__ import annotations

import math

from torch import nn

from implementations.core.flow import Flow
from implementations.core.odes import FixedSteps, Solver
from implementations.equivariant import (
    MeanFreeNormal,
    OnMeanFree,
    equivariant,
    field_of,
)
from implementations.real_nvp import real_nvp_vector
from implementations.registrations import Case, Registration
from implementations.registrations.neural_ode import TORCHDIFFEQ, six_steps


def smooth(n: int, dim: int, solve: Solver) -> Flow:
    """Build a flow whose kernels are so wide that few steps are exact."""
    flow = equivariant(n, dim, 6, 3, solve)
    nn.init.constant_(field_of(flow).log_widths, math.log(4))
    return flow


REGISTRATION = Registration(
    family="Continuous flows",
    cases={
        # Both directions, and both determinants, agree as far as six steps are exact.
        "equivariant, 4 particles in the plane, solver without writes": Case(
            lambda: smooth(4, 2, six_steps), float64=1e-3, float32=1e-3
        ),
        "equivariant, 2 particles in space, solver without writes": Case(
            lambda: smooth(2, 3, six_steps), float64=1e-3, float32=1e-3
        ),
        "equivariant, 3 particles on a line, torchdiffeq": Case(
            lambda: smooth(3, 1, FixedSteps(24)),
            float64=1e-3,
            float32=1e-3,
            exempt=(TORCHDIFFEQ,),
        ),
        "couplings of mean-free positions": Case(
            lambda: Flow(
                MeanFreeNormal(3, 2),
                OnMeanFree(real_nvp_vector(4, 2, (8,)).bijection, 3, 2),
            )
        ),
    },
    unmeasured="Equivariant flows: densities of positions, which the comparison lacks.",
)
