"""Adaptive Monte Carlo: flows on a Gaussian field, which learn from walkers."""

from __future__ import annotations

from implementations.adaptive_mcmc import AllenCahn, InformedBase, adaptive_mcmc
from implementations.core.flow import StandardNormal
from implementations.registrations import WIDTH, Case, Registration

HIDDEN = (WIDTH, WIDTH)

REGISTRATION = Registration(
    family="Sampling",
    cases={
        "adaptive MCMC, 2 sites": Case(
            lambda: adaptive_mcmc(
                InformedBase(AllenCahn(2, 0.5, 0.1, 4.0)), layers=2, hidden=HIDDEN
            )
        ),
        "adaptive MCMC, 5 sites": Case(
            lambda: adaptive_mcmc(
                InformedBase(AllenCahn(5, 0.2, 0.1, 1.0)), layers=3, hidden=HIDDEN
            )
        ),
        "adaptive MCMC, from noise": Case(
            lambda: adaptive_mcmc(StandardNormal((3,)), layers=2, hidden=HIDDEN)
        ),
    },
    unmeasured="It learns from walkers, without data; its couplings are those of Real "
    "NVP, which are measured and examined.",
)
