"""Glow on CIFAR-10 (Glow, Table 2) and on MNIST (FFJORD, Table 2)."""

from __future__ import annotations

from functools import partial

from implementations.glow import glow
from implementations.scale.recipes import Cut, RowRecipe, TrainingPlan

PLAN = TrainingPlan(batch=512, epochs=1500, rate=1e-3, clip=50.0, patience=10**6)

RECIPES = (
    RowRecipe(
        name="glow-cifar10",
        paper="glow",
        table="Table 2, CIFAR-10",
        row="Glow",
        data="cifar10",
        view="images",
        build=partial(glow, levels=3, steps=32, width=512),
        plan=PLAN,
        unit="bits per dimension",
        reported=3.35,
        departs="The paper states no length of the training; its code has 250 epochs "
        "to 1,000 and more. Adam without the code's warm-up and average of weights.",
    ),
    RowRecipe(
        name="glow-mnist",
        paper="ffjord",
        table="Table 2, MNIST",
        row="Glow",
        data="mnist",
        view="images",
        build=partial(glow, levels=2, steps=32, width=512),
        plan=PLAN,
        unit="bits per dimension",
        reported=1.05,
        departs="FFJORD's paper gives no sizes of the Glow that it compares with. "
        "These are Glow's own for CIFAR-10, with a level less, as 28 halves twice.",
        cuts=(
            Cut(
                "small",
                "8 steps a level in place of 32, 64 channels in place of 512, 15 "
                "epochs in batches of 50, and a rate that falls to 0",
                sizes={"steps": 8, "width": 64},
                plan={"batch": 50, "epochs": 15, "schedule": "cosine"},
            ),
        ),
    ),
)
