"""Flow annealed importance sampling bootstrap: a way to train flows on densities."""

from __future__ import annotations

from implementations.fab import fab
from implementations.registrations import WIDTH, Case, Registration

REGISTRATION = Registration(
    family="Sampling",
    cases={
        "fab, 1-d": Case(lambda: fab(1, 2, (WIDTH, WIDTH))),
        "fab, 2-d": Case(lambda: fab(2, 2, (WIDTH, WIDTH))),
        "fab, 5-d": Case(lambda: fab(5, 2, (WIDTH, WIDTH))),
    },
    unmeasured=(
        "It is a way to train; its flow is Real NVP with the linear layers of neural "
        "spline flows, and both are compared."
    ),
)
