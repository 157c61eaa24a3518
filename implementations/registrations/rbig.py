"""RBIG: marginal moves and turns, each fitted to a first batch; nothing is trained."""

from __future__ import annotations

import torch

from implementations.core.flow import Flow
from implementations.rbig import haar, histogram_bins, ica, pca, rbig
from implementations.registrations import Case, Exemption, Registration

NO_WEIGHTS = Exemption(
    "RBIG",
    "it has no weights that gradients could reach or a step of training could move: "
    "gradients for data are asked in tests/papers/rbig",
    promises=(
        "gradients",
        "samples_come_with_their_density",
        "autocast_may_end_before_the_backward_pass",
        "weights_are_averaged_and_flattened",
        "two_processes_train_as_one",
    ),
)


def prepared(flow: Flow) -> Flow:
    """Fit the flow to dependent, skewed points, in float64: turns then are exact."""
    if flow.base.zero.is_meta:
        return flow
    noise = torch.randn(400, *flow.base.shape).double()
    flow.double().initialise((noise + 0.5 * noise.roll(1, 1)).sinh())
    return flow


JUMPS = Exemption(
    "RBIG, histogram",
    "its density jumps up to a hundredfold between bins: a grid misses where, and a "
    "hundred layers of such jumps lose six digits. On one axis, its integral is asked "
    "in tests/papers/rbig",
    promises=("density_integrates_to_one", "deep_stack"),
)

REGISTRATION = Registration(
    family="Gaussianization",
    cases={
        "rbig, 1-d": Case(lambda: prepared(rbig(1, 2)), exempt=(NO_WEIGHTS,)),
        "rbig, 2-d, random": Case(
            lambda: prepared(rbig(2, 3, haar)), exempt=(NO_WEIGHTS,)
        ),
        "rbig, 2-d, histogram": Case(
            lambda: prepared(rbig(2, 2, pca, histogram_bins)),
            exempt=(NO_WEIGHTS, JUMPS),
        ),
        "rbig, 3-d, ICA": Case(lambda: prepared(rbig(3, 2, ica)), exempt=(NO_WEIGHTS,)),
        "rbig, 5-d, PCA": Case(lambda: prepared(rbig(5, 2, pca)), exempt=(NO_WEIGHTS,)),
    },
    unmeasured="RBIG has nothing to train: its notebook has its gaps and its seconds.",
)
