"""Neural spline flows, Table 1: five sets of vectors."""

from __future__ import annotations

from functools import partial

from implementations.nsf import nsf, nsf_autoregressive
from implementations.scale.recipes import RowRecipe, TrainingPlan

# Batch, thousands of steps, rate, width, bins; what is reported, and its error bar.
AUTOREGRESSIVE = {
    "power": (512, 400, 5e-4, 256, 8, 0.66, 0.01),
    "gas": (512, 400, 5e-4, 256, 8, 13.09, 0.02),
    "hepmass": (512, 400, 5e-4, 256, 8, -14.01, 0.03),
    "miniboone": (64, 250, 3e-4, 64, 4, -9.22, 0.48),
    "bsds300": (512, 400, 5e-4, 512, 8, 157.31, 0.28),
}
COUPLING = {
    "power": (512, 400, 5e-4, 256, 8, 0.64, 0.01),
    "gas": (512, 400, 5e-4, 256, 8, 13.09, 0.02),
    "hepmass": (256, 400, 5e-4, 128, 8, -14.75, 0.03),
    "miniboone": (128, 200, 3e-4, 32, 4, -9.67, 0.47),
    "bsds300": (512, 400, 5e-4, 128, 8, 157.54, 0.28),
}
DEPARTS = (
    "The networks are plain ones of two hidden layers, without residual blocks and "
    "dropout; ten steps everywhere."
)

RECIPES = tuple(
    RowRecipe(
        name=f"{name}-{data}",
        paper="nsf",
        table=f"Table 1, {data.upper()}",
        row=row,
        data=data,
        view="rows",
        build=partial(build, layers=10, hidden=(width, width), bins=bins),
        plan=TrainingPlan(
            batch=batch,
            steps=1000 * thousands,
            rate=rate,
            schedule="cosine",
            clip=5.0,
            patience=10**6,
        ),
        unit="log p, nats",
        reported=reported,
        error=error,
        departs=DEPARTS,
    )
    for name, row, build, sizes in (
        ("nsf-coupling", "RQ-NSF (C)", nsf, COUPLING),
        ("nsf-autoregressive", "RQ-NSF (AR)", nsf_autoregressive, AUTOREGRESSIVE),
    )
    for data, (batch, thousands, rate, width, bins, reported, error) in sizes.items()
)
