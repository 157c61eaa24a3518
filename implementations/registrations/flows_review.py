"""The review: residual flows, and flows in continuous time."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from implementations.core.bijection import Compose
from implementations.core.flow import Flow, StandardNormal
from implementations.flows_review import Continuous, Residual, flows_review, rk4
from implementations.registrations import (
    WIDTH,
    Case,
    Compared,
    Examined,
    Exemption,
    Registration,
)


def six_steps(
    change: Callable[[Tensor, Tensor], Tensor], state: Tensor, times: Tensor
) -> Tensor:
    """RK4 as torchdiffeq has it, by the 3/8 rule, without comparing or writing."""
    t, h = times[0], (times[1] - times[0]) / 6
    for k in range(6):
        a = change(t + k * h, state)
        b = change(t + (k + 1 / 3) * h, state + h * a / 3)
        c = change(t + (k + 2 / 3) * h, state + h * (b - a / 3))
        d = change(t + (k + 1) * h, state + h * (a - b + c))
        state = state + h * (a + 3 * (b + c) + d) / 8
    return state[None]


def of_review(name: str) -> Callable[[], Flow]:
    """Return the builder of the review's flow of this name, on the plane."""
    return lambda: flows_review(2)[name]


def residual(dim: int, layers: int, context: int) -> Flow:
    """Contractions, solved for as far as float64 goes."""
    parts = (Residual(dim, (WIDTH,), 0.5, tolerance=1e-12) for _ in range(layers))
    return Flow(StandardNormal((dim,)), Compose(*parts))


DERIVED = Exemption(
    "Residual and continuous flows",
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
        "never_looks_at_values",
    ),
    checks=("compile", "vmap"),
)

REGISTRATION = Registration(
    family="Surveys",
    cases={
        "residual": Case(
            lambda: Residual(3, (8, 8), 0.5, tolerance=1e-12), exempt=(DERIVED,)
        ),
        "residual, 2-d, nearly 1": Case(
            lambda: Residual(2, (8,), 0.9, tolerance=1e-12), exempt=(DERIVED,)
        ),
        "residual, 1-d": Case(
            lambda: Residual(1, (8,), 0.5, tolerance=1e-12), exempt=(DERIVED,)
        ),
        # Both directions, and both determinants, agree as far as six steps are exact.
        "continuous, solver without writes": Case(
            lambda: Continuous(2, (8,), six_steps), float64=1e-5, exempt=(DERIVED,)
        ),
        "continuous, 3-d, solver without writes": Case(
            lambda: Continuous(3, (8, 8), six_steps), float64=1e-5, exempt=(DERIVED,)
        ),
        "continuous, 3-d, torchdiffeq": Case(
            lambda: Continuous(3, (8, 8), rk4(6)),
            float64=1e-5,
            exempt=(DERIVED, TORCHDIFFEQ),
        ),
    },
    compared=(
        Compared("Linear", "linear", of_review("linear")),
        Compared("Residual", "contractions", of_review("residual")),
        Compared(
            "Continuous",
            "differential equation",
            of_review("continuous"),
            log_det="as exact as the solver",
        ),
    ),
    examined=(
        Examined("residual", residual),
        Examined(
            "continuous",
            lambda dim, layers, context: Flow(
                StandardNormal((dim,)), Compose(Continuous(dim, (WIDTH,)))
            ),
            approximate="as exact as six steps of a Runge-Kutta method",
            one=True,
            exempt=(TORCHDIFFEQ,),
        ),
    ),
    unasked={
        "ConditionalCDF": "its noise fills a cube; "
        "tests/papers/flows_review/test_facts.py"
    },
)
