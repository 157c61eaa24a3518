"""Glow: 1×1 convolutions and couplings of channels, at several scales."""

from __future__ import annotations

from functools import partial

from implementations.core.bijection import Compose
from implementations.glow import (
    LU,
    ActNorm,
    ChannelCoupling,
    Conv1x1,
    Gate,
    glow,
    network,
    reverse,
    shuffle,
)
from implementations.real_nvp import Affine
from implementations.registrations import (
    IMAGE,
    SMALL_IMAGE,
    WIDTH,
    Case,
    Compared,
    Examined,
    Registration,
)

REGISTRATION = Registration(
    family="Coupling flows",
    cases={
        "actnorm": Case(lambda: ActNorm((3, 2, 4))),
        "1×1 convolution": Case(lambda: Conv1x1((3, 2, 4))),
        "1×1 convolution, LU": Case(lambda: Conv1x1((3, 2, 4), LU)),
        "channels reversed": Case(
            lambda: Compose(reverse((3, 2, 2)), ActNorm((3, 2, 2)))
        ),
        "channel coupling, odd": Case(
            lambda: ChannelCoupling((3, 2, 4), Affine(), partial(network, width=6))
        ),
        "channel coupling, gated": Case(
            lambda: ChannelCoupling((2, 4, 2), Gate(), partial(network, width=6))
        ),
        "glow, 1×4×4": Case(lambda: glow((1, 4, 4), 2, 1, 6)),
        "glow, 1×2×2, one level, LU": Case(
            lambda: glow((1, 2, 2), 1, 2, 6, mix=partial(Conv1x1, matrix=LU))
        ),
        "glow, 1×4×4, conditional, gated, shuffled": Case(
            lambda: glow((1, 4, 4), 2, 2, 6, Gate, shuffle, context=3)
        ),
    },
    compared=(
        Compared(
            "Glow",
            "coupling, affine, multi-scale",
            partial(glow, IMAGE, 2, 4, 32),
            IMAGE,
        ),
    ),
    examined=(
        Examined(
            "Glow",
            lambda dim, layers, context: glow(SMALL_IMAGE, 2, layers, WIDTH),
            image=True,
        ),
    ),
)
