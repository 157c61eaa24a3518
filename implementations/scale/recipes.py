"""A recipe: a row of a paper's table, and all that it takes to obtain it again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Literal

# What a model sees of the data, see inputs.py.
View = Literal["binary", "logit", "rows", "images"]
Unit = Literal["−log p, nats", "log p, nats", "bits per dimension"]


@dataclass(frozen=True)
class TrainingPlan:
    """The way a training goes.

    The rate stays, or falls to 0 on a cosine over all steps. `steps`, unless it is 0,
    says how long in place of `epochs`. After `patience` epochs without a lower loss on
    the validation set it ends. `validated_on` rows of that set are used; 0 means all.
    """

    batch: int = 100
    epochs: int = 1000
    steps: int = 0
    optimiser: Literal["adam", "adagrad"] = "adam"
    rate: float = 1e-3
    decay: float = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    clip: float = math.inf
    patience: int = 30
    validated_on: int = 0

    def length(self, rows: int) -> int:
        """Count the steps, with so many rows of training data."""
        return self.steps or self.epochs * self.steps_per_epoch(rows)

    def steps_per_epoch(self, rows: int) -> int:
        """Count the whole batches; the rest of an epoch's rows sit it out."""
        return max(1, rows // self.batch)


@dataclass(frozen=True)
class Cut:
    """Changes that make a recipe fit two CPU cores, and the words for them.

    `name` goes behind that of the recipe. `data` are those it takes instead; "" where
    they are the same.
    """

    name: str
    said: str
    data: str = ""
    sizes: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RowRecipe:
    """A row of a table: the data, the model with the paper's sizes, and the training.

    `build` takes what the data say (`dim` or `shape`, and `context` where it is
    conditional) beside its own keywords. `reported` is the paper's number in `unit`,
    and `error` its error bar, or None. `departs` says what is not as there. `cuts` are
    ways to try it on two CPU cores; a recipe that is cut has `said`, what was cut.
    """

    name: str
    paper: str
    table: str
    row: str
    data: str
    view: View
    build: partial[Any]
    plan: TrainingPlan
    unit: Unit
    reported: float
    error: float | None = None
    conditional: bool = False
    departs: str = ""
    cuts: tuple[Cut, ...] = ()
    said: str = ""

    def smaller(self) -> list[RowRecipe]:
        """Return a recipe for each cut, in their order."""
        return [
            replace(
                self,
                name=f"{self.name}-{cut.name}",
                data=cut.data or self.data,
                build=partial(self.build, **cut.sizes),
                plan=replace(self.plan, **cut.plan),
                cuts=(),
                said=cut.said,
            )
            for cut in self.cuts
        ]

    def settings(self) -> dict[str, Any]:
        """Return what decides how a training goes, as JSON has it."""
        return {
            "data": self.data,
            "view": self.view,
            "conditional": self.conditional,
            "model": self.build.func.__name__,
            **{name: _plain(value) for name, value in self.build.keywords.items()},
            **{name: _plain(value) for name, value in asdict(self.plan).items()},
        }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and math.isinf(value):
        return "none"
    return getattr(value, "__name__", value)
