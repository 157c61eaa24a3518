"""Rows of the papers' tables, reported and obtained → the page of the paper's size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from scripts.base.dates import duration
from scripts.results.scale import ListedRecipe, Obtained, read_obtained, read_recipes


class Trained(NamedTuple):
    """One training of a row: as the paper has it, or cut to fit two CPU cores.

    `cut` says what was cut; "" where nothing was.
    """

    recipe: ListedRecipe
    result: Obtained
    cut: str = ""

    @property
    def error(self) -> float:
        """Two standard errors of the mean over the test set, as the papers have."""
        return 2 * self.result.standard_error

    @property
    def lead(self) -> float:
        """By how much it is better than reported; negative where it is worse."""
        gain = self.result.obtained - self.recipe.reported
        return gain if self.recipe.unit.startswith("log p") else -gain

    @property
    def within(self) -> bool:
        """True where it is no further from what is reported than the error bar says.

        That is the paper's, or ours where the paper gives none.
        """
        bar = self.error if self.recipe.error is None else self.recipe.error
        return round(abs(self.lead) - bar, 6) <= 0

    @property
    def verdict(self) -> str:
        """Say how it stands to what the paper reports."""
        if self.within:
            whose = "our" if self.recipe.error is None else "the paper's"
            return f"within {whose} error bar"
        unit = "nats" if "nats" in self.recipe.unit else "bits per dimension"
        side = "better" if self.lead > 0 else "worse"
        return f"{abs(self.lead):.3g} {unit} {side} than reported"

    @property
    def effort(self) -> str:
        """Say how long it took, and on what."""
        result = self.result
        epochs = f"{result.epochs} epoch{'s' * (result.epochs > 1)}"
        if result.epochs < result.epochs_allowed:
            epochs += ", stopped early"
        where = result.gpu or f"{result.machine.model}, {result.machine.cores} cores"
        processes = f"{result.processes} process{'es' * (result.processes > 1)}"
        return f"{epochs}, {duration(result.seconds)}, {processes} on {where}"


class TableRow(NamedTuple):
    """A row of a table: what is reported, and what was obtained, the whole first."""

    recipe: ListedRecipe
    attempts: Sequence[Trained]


class ReportedTable(NamedTuple):
    """A table of a paper, or the part of it on one data set."""

    paper: str
    name: str
    unit: str
    rows: Sequence[TableRow]

    @property
    def run(self) -> list[Trained]:
        """All that was trained."""
        return [attempt for row in self.rows for attempt in row.attempts]

    @property
    def departs(self) -> list[str]:
        """The things that our recipes do not do as the paper, each once."""
        return list(dict.fromkeys(row.recipe.departs for row in self.rows))


class AtSize(NamedTuple):
    """All tables, in which something was trained, and the others."""

    tables: Sequence[ReportedTable] = ()

    @property
    def obtained(self) -> list[ReportedTable]:
        """Tables of which some row was trained here."""
        return [table for table in self.tables if table.run]

    @property
    def waiting(self) -> list[ReportedTable]:
        """Tables of which no row was."""
        return [table for table in self.tables if not table.run]

    @property
    def within(self) -> list[Trained]:
        """Trainings that came within the error bar."""
        return [
            attempt for table in self.tables for attempt in table.run if attempt.within
        ]

    def of(self, paper: str) -> list[ReportedTable]:
        """Return the tables of one paper."""
        return [table for table in self.tables if table.paper == paper]


def at_size(folder: Path) -> AtSize:
    """Read implementations/results/scale/; raises ResultsError."""
    return gathered(read_recipes(folder), read_obtained(folder))


def gathered(recipes: Iterable[ListedRecipe], found: dict[str, Obtained]) -> AtSize:
    """Put what was obtained beside what is reported, table by table."""
    tables = []
    for (paper, name), group in groupby(recipes, lambda each: (each.paper, each.table)):
        rows = [TableRow(recipe, _attempts(recipe, found)) for recipe in group]
        tables.append(ReportedTable(paper, name, rows[0].recipe.unit, rows))
    return AtSize(tables)


def _attempts(recipe: ListedRecipe, found: dict[str, Obtained]) -> list[Trained]:
    cuts = {recipe.name: ""} | {cut.name: cut.said for cut in recipe.cuts}
    return [
        Trained(recipe, found[name], said)
        for name, said in cuts.items()
        if name in found
    ]
