"""The review: residual flows, and one flow of each family."""

from __future__ import annotations

from collections.abc import Callable

from implementations.core.bijection import Compose
from implementations.core.flow import Flow, StandardNormal
from implementations.flows_review import Residual, flows_review
from implementations.registrations import (
    WIDTH,
    Case,
    Compared,
    Examined,
    Exemption,
    Registration,
)


def of_review(name: str) -> Callable[[], Flow]:
    """Return the builder of the review's flow of this name, on the plane."""
    return lambda: flows_review(2)[name]


def residual(dim: int, layers: int, context: int) -> Flow:
    """Contractions, solved for as far as float64 goes."""
    parts = (Residual(dim, (WIDTH,), 0.5, tolerance=1e-12) for _ in range(layers))
    return Flow(StandardNormal((dim,)), Compose(*parts))


DERIVED = Exemption(
    "Residual flows",
    "the log-determinant takes derivatives of a network, which torch.export does not "
    "trace",
    promises=("exports_with_an_open_batch",),
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
    examined=(Examined("residual", residual),),
    unasked={
        "ConditionalCDF": "its noise fills a cube; "
        "tests/papers/flows_review/test_facts.py"
    },
)
