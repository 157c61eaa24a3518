"""Glow, Table 2, and Real NVP, Table 1: CIFAR-10."""

from __future__ import annotations

from functools import partial

from implementations.glow import glow
from implementations.scale.recipes import RowRecipe, TrainingPlan

RECIPES = (
    RowRecipe(
        name="glow-cifar10",
        paper="glow",
        table="Table 2, CIFAR-10",
        row="Glow",
        data="cifar10",
        view="images",
        build=partial(glow, levels=3, steps=32, width=512),
        plan=TrainingPlan(batch=512, epochs=1500, rate=1e-3, clip=50.0, patience=10**6),
        unit="bits per dimension",
        reported=3.35,
        departs="The paper states no length of the training; its code has 250 epochs "
        "to 1,000 and more. Adam without the code's warm-up and average of weights.",
    ),
)
