"""Real NVP: affine couplings, of vectors and of images."""

from __future__ import annotations

from functools import partial

import torch

from implementations.core.bijection import Compose
from implementations.core.flow import Flow, StandardNormal
from implementations.nice import Coupling
from implementations.real_nvp import (
    Affine,
    BatchNorm,
    MaskedCoupling,
    checkerboard,
    real_nvp,
    real_nvp_vector,
    resnet,
)
from implementations.registrations import (
    HIDDEN,
    IMAGE,
    SMALL_IMAGE,
    WIDTH,
    Case,
    Compared,
    Examined,
    Registration,
    small,
)


@torch.no_grad()
def used(flow: Flow) -> Flow:
    """Return the flow after two batches of training, with statistics of its own."""
    for size in (1, 2):
        flow.bijection(size * torch.randn(50, *flow.bijection.x_shape) + 1)
    return flow


REGISTRATION = Registration(
    family="Coupling flows",
    cases={
        "affine coupling": Case(lambda: Coupling(4, Affine(), small)),
        "affine coupling, conditional": Case(
            lambda: Coupling(3, Affine(), small, swap=True, context=2)
        ),
        "masked coupling": Case(
            lambda: MaskedCoupling(
                checkerboard((2, 4, 2)), Affine(), resnet(2, 4, 4, 1)
            )
        ),
        "batch normalisation": Case(
            lambda: used(
                Flow(
                    StandardNormal((3,)),
                    Compose(Coupling(3, Affine(), small), BatchNorm((3,))),
                )
            )
        ),
        "real_nvp_vector, 1-d": Case(lambda: real_nvp_vector(1, 4, (8, 8))),
        "real_nvp_vector, 2-d": Case(lambda: real_nvp_vector(2, 4, (8, 8))),
        "real_nvp_vector, 2-d, conditional": Case(
            lambda: real_nvp_vector(2, 4, (8, 8), context=3)
        ),
        "real_nvp_vector, 5-d": Case(lambda: real_nvp_vector(5, 4, (8, 8))),
        "real_nvp, 1×8×8": Case(lambda: used(real_nvp((1, 8, 8), maps=2, blocks=1))),
    },
    compared=(
        Compared(
            "Real NVP", "coupling, affine", partial(real_nvp_vector, 2, hidden=HIDDEN)
        ),
        Compared(
            "Real NVP, images",
            "coupling, affine, multi-scale",
            partial(real_nvp, IMAGE, 16, 1),
            IMAGE,
        ),
    ),
    examined=(
        Examined("Real NVP", "real_nvp", contextual=True),
        Examined(
            "Real NVP for images",
            lambda dim, layers, context: real_nvp(SMALL_IMAGE, WIDTH // 4, layers),
            image=True,
        ),
    ),
    unasked={"Logit": "takes events from 0 to 1; tests/papers/real_nvp/test_facts.py"},
)
