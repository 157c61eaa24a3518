"""Times of each library → races between them: the ratios to the fastest peer."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import NamedTuple

from scripts.results.forms import Kind, LibraryTiming, Task


class Race(NamedTuple):
    """The libraries' times of one task: `ratio` times as fast as the best peer we are.

    `ratio` is the median over repeats, in each of which all took turns.
    """

    kind: Kind
    threads: int
    family: str
    dim: int
    batch: int
    task: Task
    ratio: float
    rows: dict[str, LibraryTiming]

    @property
    def best(self) -> str:
        """The fastest of the others."""
        return _best(self.rows)


def races(rows: Iterable[LibraryTiming]) -> list[Race]:
    """Group rows by flow, batch and task, in their order."""
    groups: dict[tuple[Kind, int, str, int, int, Task], dict[str, LibraryTiming]] = {}
    for row in rows:
        key = (row.kind, row.threads, row.family, row.dim, row.batch, row.task)
        groups.setdefault(key, {})[row.library] = row
    return [Race(*key, _ratio(group), group) for key, group in groups.items()]


def _best(rows: dict[str, LibraryTiming]) -> str:
    peers = [name for name in rows if name != "ours"]
    return min(peers, key=lambda name: statistics.median(rows[name].seconds))


def _ratio(rows: dict[str, LibraryTiming]) -> float:
    theirs, ours = rows[_best(rows)].seconds, rows["ours"].seconds
    return statistics.median(t / o for t, o in zip(theirs, ours, strict=True))
