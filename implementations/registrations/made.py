"""MADE: masked networks, and maps that they steer one component after another."""

from __future__ import annotations

from functools import partial

from implementations.core.bijection import Compose, Inverse
from implementations.core.flow import Flow, StandardNormal
from implementations.made import Autoregressive, Gaussian, made
from implementations.nice import Shift
from implementations.registrations import (
    HIDDEN,
    WIDTH,
    Case,
    Compared,
    Examined,
    Registration,
)


def as_a_flow(dim: int, layers: int, context: int) -> Flow:
    """Shifts, in turn from the first and from the last component."""
    turns = (range(dim)[:: -1 if k % 2 else 1] for k in range(layers))
    parts = [Autoregressive(dim, Shift(), (WIDTH,), turn, context) for turn in turns]
    return Flow(StandardNormal((dim,)), Compose(*parts))


REGISTRATION = Registration(
    family="Autoregressive flows",
    cases={
        "autoregressive shift": Case(lambda: Autoregressive(4, Shift(), (8, 8))),
        "autoregressive shift, no hidden layers": Case(
            lambda: Autoregressive(4, Shift(), ())
        ),
        "autoregressive shift, more components than units": Case(
            lambda: Autoregressive(7, Shift(), (3, 4))
        ),
        "autoregressive shift, in another order": Case(
            lambda: Autoregressive(4, Shift(), (9, 7), order=(2, 0, 3, 1))
        ),
        "autoregressive shift, conditional": Case(
            lambda: Autoregressive(2, Shift(), (8, 8), order=(1, 0), context=3)
        ),
        "autoregressive shift, 1-d": Case(lambda: Autoregressive(1, Shift(), (4,))),
        "autoregressive shift, 1-d, conditional": Case(
            lambda: Autoregressive(1, Shift(), (4,), context=2)
        ),
        "autoregressive, inverted": Case(
            lambda: Inverse(Autoregressive(3, Shift(), (8, 8), context=2))
        ),
    },
    compared=(
        Compared("MADE", "autoregressive", partial(made, 2, HIDDEN, 1, Gaussian)),
    ),
    examined=(Examined("MADE, as a flow", as_a_flow, contextual=True),),
)
