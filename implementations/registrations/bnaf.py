"""BNAF: one network of block matrices, autoregressive and rising."""

from __future__ import annotations

from functools import partial

from implementations.bnaf import BlockAutoregressive, bnaf
from implementations.registrations import (
    WIDTH,
    Case,
    Compared,
    Examined,
    Exemption,
    Registration,
)
from implementations.registrations.core import TRACED

SHRINKING = Exemption(
    "BNAF",
    "each layer shrinks what it gets, as long as it is random: a hundred of them by "
    "more than rounding can undo",
    promises=("deep_stack",),
    checks=("deep",),
)

REGISTRATION = Registration(
    family="Autoregressive flows",
    cases={
        "block autoregressive": Case(
            lambda: BlockAutoregressive(3, (4, 4)), exempt=(SHRINKING,)
        ),
        "block autoregressive, leaky": Case(
            lambda: BlockAutoregressive(3, (4,), leak=0.1), exempt=(SHRINKING,)
        ),
        "block autoregressive, no hidden layer": Case(
            lambda: BlockAutoregressive(3, ()), exempt=(SHRINKING,)
        ),
        "bnaf, 1-d": Case(lambda: bnaf(1, 2, (4,)), exempt=(SHRINKING,)),
        "bnaf, 2-d": Case(lambda: bnaf(2, 2, (4,)), exempt=(SHRINKING,)),
        "bnaf, 2-d, conditional": Case(
            lambda: bnaf(2, 1, (4, 4), context=3), exempt=(SHRINKING,)
        ),
        "bnaf, 5-d": Case(lambda: bnaf(5, 1, (4,)), exempt=(SHRINKING,)),
    },
    compared=(
        Compared(
            "BNAF",
            "autoregressive, one monotone network",
            partial(bnaf, 2, 1, (32, 32)),
        ),
    ),
    examined=(
        Examined(
            "BNAF",
            lambda dim, layers, context: bnaf(dim, layers, (WIDTH,), context=context),
            contextual=True,
            exempt=(SHRINKING, TRACED),
        ),
    ),
)
