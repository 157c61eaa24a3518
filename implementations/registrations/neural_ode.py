"""Neural ODEs: flows in continuous time."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from implementations.core.bijection import Compose
from implementations.core.flow import Flow, StandardNormal
from implementations.core.odes import Change, FixedSteps, TimeNetwork
from implementations.neural_ode import Continuous, neural_ode
from implementations.registrations import (
    WIDTH,
    Case,
    Compared,
    Examined,
    Exemption,
    Registration,
)

STEPS = 6  # A test that traces each of them takes fewer.


def six_steps(change: Change, state: Tensor, times: Tensor, *_: object) -> Tensor:
    """RK4 as torchdiffeq has it, by the 3/8 rule, without comparing or writing."""
    t, h = times[0], (times[1] - times[0]) / STEPS
    for k in range(STEPS):
        a = change(t + k * h, state)
        b = change(t + (k + 1 / 3) * h, state + h * a / 3)
        c = change(t + (k + 2 / 3) * h, state + h * (b - a / 3))
        d = change(t + (k + 1) * h, state + h * (a - b + c))
        state = state + h * (a + 3 * (b + c) + d) / 8
    return state[None]


DERIVED = Exemption(
    "Continuous flows over any network",
    "the log-determinant takes derivatives of a network, which torch.export does not "
    "trace",
    promises=("exports_with_an_open_batch",),
)
TORCHDIFFEQ = Exemption(
    "Continuous flows, solved by torchdiffeq",
    "torchdiffeq compares times and writes in place; another solver need not",
    promises=(
        "log_det_is_that_of_the_jacobian",
        "vmap_of_gradient",
        "compiles_without_graph_breaks",
        "exports_with_an_open_batch",
        "never_looks_at_values",
    ),
    checks=("compile", "vmap"),
)

REGISTRATION = Registration(
    family="Continuous flows",
    cases={
        # Both directions, and both determinants, agree as far as six steps are exact.
        "continuous, solver without writes": Case(
            lambda: Continuous(TimeNetwork(2, (8,)), six_steps),
            float64=1e-5,
            exempt=(DERIVED,),
        ),
        "continuous, 3-d, solver without writes": Case(
            lambda: Continuous(TimeNetwork(3, (8, 8)), six_steps),
            float64=1e-5,
            exempt=(DERIVED,),
        ),
        "continuous, 3-d, torchdiffeq": Case(
            lambda: Continuous(TimeNetwork(3, (8, 8)), FixedSteps(6)),
            float64=1e-5,
            exempt=(TORCHDIFFEQ,),
        ),
        "neural_ode, 2-d, solver without writes": Case(
            lambda: neural_ode(2, 8, 8, six_steps), float64=1e-3, float32=1e-3
        ),
    },
    compared=(
        Compared(
            "Neural ODE",
            "differential equation",
            partial(neural_ode, 2),
            log_det="as exact as the solver",
        ),
    ),
    examined=(
        Examined(
            "continuous",
            lambda dim, layers, context: Flow(
                StandardNormal((dim,)), Compose(Continuous(TimeNetwork(dim, (WIDTH,))))
            ),
            approximate="as exact as six steps of a Runge-Kutta method",
            one=True,
            exempt=(TORCHDIFFEQ,),
        ),
    ),
)
