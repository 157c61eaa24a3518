"""MADE, Table 6: binarised MNIST."""

from __future__ import annotations

from functools import partial

from implementations.made import made
from implementations.scale.recipes import Cut, RowRecipe, TrainingPlan

# The authors' best command.
UNITS = 8000
PLAN = TrainingPlan(optimiser="adagrad", rate=0.01)
DEPARTS = (
    "The paper chose width and rate on the validation set; these are those of the "
    "authors' best command. Degrees of hidden units are spread evenly, not drawn; "
    "weights start as PyTorch's do, not orthogonal."
)


def _many(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n > 1)}"


def _recipe(layers: int, masks: int, reported: float, *cuts: Cut) -> RowRecipe:
    hidden = (UNITS,) * layers
    return RowRecipe(
        name=f"made-binarised-{layers}hl-{masks}",
        paper="made",
        table="Table 6, binarised MNIST",
        row=f"{_many(layers, 'hidden layer')}, {_many(masks, 'mask')}",
        data="binarised_mnist_original",
        view="binary",
        build=partial(made, hidden=hidden, masks=masks),
        plan=PLAN,
        unit="−log p, nats",
        reported=reported,
        departs=DEPARTS,
        cuts=cuts,
    )


def _cut(name: str, hidden: tuple[int, ...], epochs: int, validated_on: int = 0) -> Cut:
    said = f"{epochs} epochs at most; pixels binarised by a draw of our own"
    if hidden[0] < UNITS:
        said = f"{hidden[0]:,} units a layer in place of {UNITS:,}, and {said}"
    if validated_on:
        said += f"; best weights by {validated_on:,} of 10,000 validation images"
    return Cut(
        name,
        said,
        "binarised_mnist",
        {"hidden": hidden},
        {"epochs": epochs, "validated_on": validated_on},
    )


RECIPES = (
    _recipe(1, 1, 88.40, _cut("small", (1000,), 30), _cut("wide", (UNITS,), 40)),
    _recipe(2, 1, 89.59, _cut("small", (1000, 1000), 30)),
    _recipe(
        1, 32, 88.04, _cut("small", (1000,), 30, 500), _cut("long", (1000,), 100, 500)
    ),
    _recipe(2, 32, 86.64, _cut("small", (1000, 1000), 30, 500)),
)
