"""Results of compiling → rows of the Compare page's table."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from scripts.results.forms import Compilation, CompiledFlows
from scripts.site.measured.races import EVEN, FAMILIES, TASKS


class EagerAndCompiled(NamedTuple):
    """One task in one library, in ms; `after` is none where it was not compiled."""

    before: float
    after: float | None
    fault: str

    @property
    def ratio(self) -> float | None:
        """The time before over the time after."""
        return self.before / self.after if self.after else None


class CompiledRow(NamedTuple):
    """One task of one flow, by library."""

    flow: str
    dim: int
    batch: int
    task: str
    by_library: dict[str, EagerAndCompiled]


class CompiledTable(NamedTuple):
    """Everything that is shown of a report."""

    report: CompiledFlows
    rows: Sequence[CompiledRow]

    @property
    def libraries(self) -> list[str]:
        """Ours, and the peers."""
        return list(dict.fromkeys(row.library for row in self.report.rows))

    @property
    def slower(self) -> list[str]:
        """The tasks of ours that take longer compiled, such as "Glow (train)"."""
        return [
            f"{row.flow} ({row.task})"
            for row in self.rows
            if (ratio := row.by_library["ours"].ratio) and ratio < EVEN
        ]

    @property
    def faults(self) -> list[str]:
        """All that is wrong or was not compiled, and why."""
        return [
            f"{row.flow}, {row.task}, {name}: {each.fault}"
            for row in self.rows
            for name, each in row.by_library.items()
            if each.fault
        ]

    @property
    def first(self) -> tuple[float, float, float] | None:
        """The least, median and most seconds of a first call, where one compiled."""
        seconds = [row.first for row in self.report.rows if row.first]
        if not seconds:
            return None
        return min(seconds), statistics.median(seconds), max(seconds)


def compiled_table(report: CompiledFlows) -> CompiledTable:
    """Gather what is shown of a report."""
    return CompiledTable(report, list(_rows(report.rows)))


def _rows(rows: Iterable[Compilation]) -> Iterable[CompiledRow]:
    def place(row: Compilation) -> tuple[str, int, int, str]:
        return FAMILIES.get(row.flow, row.flow), row.dim, row.batch, TASKS[row.task]

    for key, group in groupby(rows, key=place):
        yield CompiledRow(*key, {row.library: _both(row) for row in group})


def _both(row: Compilation) -> EagerAndCompiled:
    after = row.compiled_seconds
    return EagerAndCompiled(
        1e3 * statistics.median(row.seconds),
        1e3 * statistics.median(after) if after else None,
        row.fault,
    )
