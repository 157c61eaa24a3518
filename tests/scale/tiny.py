"""Recipes of a second, on data of a few rows, and processes that train them.

`python -m tests.scale.tiny ARGUMENTS` is the command with these recipes besides.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from implementations.core.bijection import Compose
from implementations.core.data import Dataset, Split
from implementations.core.flow import Flow, StandardNormal
from implementations.glow import ActNorm
from implementations.made import made
from implementations.nice import Coupling
from implementations.real_nvp import Affine
from implementations.scale import command
from implementations.scale.builders import made_gaussian, maf_normalised
from implementations.scale.inputs import Inputs, prepare
from implementations.scale.options import Options
from implementations.scale.processes import Processes
from implementations.scale.recipes import Cut, RowRecipe, TrainingPlan
from implementations.scale.tables import RECIPES
from implementations.scale.train import Training

ALONE = Processes(0, 1, torch.device("cpu"))
PLAN = TrainingPlan(batch=12, epochs=4, rate=1e-2, decay=1e-6)


def digits(name: str = "mnist", folder: Path | None = None) -> Dataset:
    """Images of 2×3 pixels in three classes; 63 to train on, which 12 do not divide."""
    random = torch.Generator().manual_seed(0)
    levels = 2 if name.startswith("binarised") else 256
    splits = []
    for n in (63, 21, 20):
        y = torch.randint(3, (n,), generator=random)
        x = torch.randint(levels, (n, 2, 3), generator=random, dtype=torch.uint8)
        splits.append(Split(x // (1 + y.byte())[:, None, None], y))
    return Dataset(name, *splits, classes=3, levels=levels)


def with_dropout(dim: int, context: int = 0) -> Flow:
    """Build a coupling whose network draws numbers of its own at each step."""

    def m(n_in: int, n_out: int) -> nn.Module:
        layers = nn.Linear(n_in, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, n_out)
        return nn.Sequential(*layers)

    return Flow(StandardNormal((dim,)), Coupling(dim, Affine(), m, context=context))


def moved_maf(dim: int, context: int) -> Flow:
    """Build MAF away from its start.

    There the gradient of a shift is 0 but for rounding, which Adam turns into a step.
    """
    flow = maf_normalised(dim, layers=2, hidden=(8, 8), context=context)
    for weights in flow.parameters():
        nn.init.normal_(weights, std=0.3)
    return flow


def of_images(shape: tuple[int, int, int]) -> Flow:
    """Build a flow of images that a first batch initialises."""
    return Flow(StandardNormal(shape), Compose(ActNorm(shape)))


def _recipe(name: str, build: Any, view: Any = "logit", **others: Any) -> RowRecipe:
    data = "binarised_mnist" if view == "binary" else "mnist"
    return RowRecipe(
        name=name,
        paper="maf",
        table="Table 0",
        row=name,
        data=data,
        view=view,
        build=partial(build),
        plan=PLAN,
        unit="log p, nats",
        reported=-1.0,
        **others,
    )


TINY = {
    recipe.name: recipe
    for recipe in (
        _recipe("tiny-made", partial(made_gaussian, hidden=(8,))),
        _recipe(
            "tiny-maf",
            partial(maf_normalised, layers=2, hidden=(8, 8)),
            conditional=True,
            cuts=(Cut("small", "one layer", sizes={"layers": 1}),),
        ),
        _recipe("tiny-masks", partial(made, hidden=(8,), masks=3), "binary"),
        _recipe("tiny-dropout", with_dropout),
        _recipe("tiny-moved", moved_maf, conditional=True),
        _recipe("tiny-images", of_images, "images"),
    )
}
# Adam takes the same steps for twice the gradient, but not beside a decay.
_decaying = replace(PLAN, decay=0.1)
TINY["tiny-moved"] = replace(TINY["tiny-moved"], plan=_decaying)
for _name in ("tiny-made", "tiny-maf"):
    _long = replace(TINY[_name], name=f"{_name}-long")
    TINY[_long.name] = replace(_long, plan=replace(PLAN, epochs=60, patience=999))


def inputs(recipe: RowRecipe) -> Inputs:
    """What the recipe's model sees of the tiny data."""
    return prepare(recipe, digits(recipe.data))


def training(
    recipe: RowRecipe, folder: Path, processes: Processes = ALONE, **options: Any
) -> Training:
    """Begin a training, or go on with the one in the folder."""
    return Training(recipe, inputs(recipe), processes, folder, Options(**options))


def state(model: nn.Module) -> dict[str, Tensor]:
    """Copies of the model's weights and statistics."""
    return {name: each.clone() for name, each in model.state_dict().items()}


def child(environment: Mapping[str, str], arguments: Sequence[str]) -> None:
    """Be the command in a process of its own."""
    os.environ.update(environment)
    torch.set_num_threads(1)
    RECIPES.update(TINY)
    command.load = digits
    command.main(arguments)


if __name__ == "__main__":
    child({}, sys.argv[1:])
