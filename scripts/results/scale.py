"""The form of implementations/results/scale/, which `implementations.scale` writes.

`recipes.json` has what each paper reports; a file per recipe that was run, what it came
to here.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    TypeAdapter,
    ValidationError,
)

from scripts.results.files import ResultsError
from scripts.results.forms import Form, Machine

LIST = "recipes.json"


class ListedCut(Form):
    """A way to train a recipe on two CPU cores: its name, and what was cut."""

    name: str
    said: str


class ListedRecipe(Form):
    """A row of a paper's table: what the paper reports, in `unit`.

    `error` is its error bar, null where it has none; `departs` what our recipe does not
    do as the paper.
    """

    name: str
    paper: str
    table: str
    row: str
    unit: str
    reported: float
    error: float | None
    departs: str
    cuts: tuple[ListedCut, ...]


class Obtained(Form):
    """The result of one recipe, trained here.

    `obtained` is in the recipe's unit, with the standard error of the mean over the
    test set. `bits_per_pixel` is of images seen as logits. `gpu` is "" where there was
    none.
    """

    recipe: str
    date: Annotated[datetime.date, Field(strict=False)]
    machine: Machine
    gpu: str
    versions: dict[str, str]
    processes: PositiveInt
    threads: PositiveInt
    obtained: float
    standard_error: NonNegativeFloat
    bits_per_pixel: float | None = None
    bits_error: NonNegativeFloat | None = None
    test_rows: PositiveInt
    validation: float
    epochs: PositiveInt
    epochs_allowed: PositiveInt
    steps: PositiveInt
    seconds: NonNegativeInt
    parameters: PositiveInt
    settings: dict[str, Any]


def read_recipes(folder: Path) -> tuple[ListedRecipe, ...]:
    """Read what the papers report; raises ResultsError."""
    form = TypeAdapter(tuple[ListedRecipe, ...])
    fix = "`python -m implementations.scale --write-list` writes it"
    path = folder / LIST
    try:
        return form.validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ResultsError(f"scale/{LIST} is missing; {fix}") from None
    except ValidationError as error:
        raise ResultsError(f"scale/{LIST}: {_first(error)}; {fix}") from None


def read_obtained(folder: Path) -> dict[str, Obtained]:
    """Read what was obtained, by the recipe's name; raises ResultsError."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        if path.name == LIST:
            continue
        try:
            result = Obtained.model_validate_json(path.read_bytes())
        except ValidationError as error:
            fix = f"`python -m implementations.scale {path.stem}` writes it anew"
            raise ResultsError(f"scale/{path.name}: {_first(error)}; {fix}") from None
        found[result.recipe] = result
    return found


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"])) or "the whole"
    return f"{place}: {first['msg']}"
