"""MAF: affine maps, autoregressive in the data, also on mixtures of Gaussians."""

from __future__ import annotations

from functools import partial

from implementations.maf import maf, maf_mog
from implementations.registrations import (
    HIDDEN,
    WIDTH,
    Case,
    Compared,
    Examined,
    Exemption,
    Registration,
)

UNBOUNDED = Exemption(
    "MAF on mixtures of Gaussians",
    "the mixture's scales are exp(α) with any α, so that they may overflow",
    promises=("huge_inputs_stay_finite",),
    checks=("large", "huge", "extreme"),
)

REGISTRATION = Registration(
    family="Autoregressive flows",
    cases={
        "maf, 1-d": Case(lambda: maf(1, 2, (8, 8))),
        "maf, 2-d": Case(lambda: maf(2, 5, (8, 8))),
        "maf, 5-d": Case(lambda: maf(5, 3, (8, 8))),
        "maf, 2-d, conditional": Case(lambda: maf(2, 2, (8, 8), context=3)),
        "maf_mog, 2-d": Case(lambda: maf_mog(2, 2, 3, (8, 8)), exempt=(UNBOUNDED,)),
        "maf_mog, 2-d, conditional": Case(
            lambda: maf_mog(2, 2, 3, (8, 8), context=3), exempt=(UNBOUNDED,)
        ),
    },
    compared=(
        Compared("MAF", "autoregressive, affine", partial(maf, 2, hidden=HIDDEN)),
        Compared(
            "MAF MoG",
            "autoregressive, affine, on mixtures",
            partial(maf_mog, 2, hidden=HIDDEN),
        ),
    ),
    examined=(
        Examined(
            "MAF",
            lambda dim, layers, context: maf(dim, layers, (WIDTH, WIDTH), context),
            contextual=True,
        ),
        Examined(
            "MAF, mixture base",
            lambda dim, layers, context: maf_mog(
                dim, layers, 3, (WIDTH, WIDTH), context
            ),
            contextual=True,
            exempt=(UNBOUNDED,),
        ),
    ),
)
