"""Times at several sizes → small plots, all of a task on one scale of time."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from scripts.results.forms import Task
from scripts.results.scaling import Along, Cost, Curve, ScalingResults, curves
from scripts.site.measured.races import FAMILIES, TASKS

# The box of a plot's lines in its 250 × 170 units, with room for names at their ends.
LEFT, RIGHT, TOP, BOTTOM = 46.0, 186.0, 8.0, 150.0
# Names are this far apart.
LINE = 12.0


class Scale(NamedTuple):
    """A logarithmic scale: values from `low` to `high` stand at `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return where a value stands."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 1)


class Stroke(NamedTuple):
    """The line of one library on so many threads, as SVG's points."""

    library: str
    threads: int
    points: str


class CurveLabel(NamedTuple):
    """A library's name at the end of its line."""

    library: str
    x: float
    y: float


class GrowthPlot(NamedTuple):
    """One flow along one axis; `ends` has the last size and its ms on one thread."""

    flow: str
    strokes: Sequence[Stroke]
    names: Sequence[CurveLabel]
    ends: dict[str, tuple[int, float]]


class GrowthRow(NamedTuple):
    """The plots along one axis: x and words of ticks; the size that stays the same."""

    along: Along
    fixed: int
    sizes: Sequence[tuple[float, int]]
    plots: Sequence[GrowthPlot]


class GrowthFigure(NamedTuple):
    """One task along both axes: y and ms of the lines across all plots."""

    task: str
    ms: Sequence[tuple[float, float]]
    rows: Sequence[GrowthRow]


class Exponents(NamedTuple):
    """The exponents of one task of one flow, by library."""

    flow: str
    task: str
    threads: int
    along: Along
    times: dict[str, float]


class Growths(NamedTuple):
    """The plots and exponents of growth, beside other libraries."""

    threads: Sequence[int]
    libraries: Sequence[str]
    figures: dict[Task, GrowthFigure]
    exponents: Sequence[Exponents]


def growths(scaling: ScalingResults) -> Growths | None:
    """Draw what was measured; none where it is of ours alone."""
    rows = (*scaling.along_dim, *scaling.along_batch)
    libraries = list(dict.fromkeys(row.library for row in rows))
    if len(libraries) == 1:
        return None
    there = {row.task for row in rows}
    figures: dict[Task, GrowthFigure] = {
        task: _figure(task, scaling) for task in TASKS if task in there
    }
    threads = sorted({row.threads for row in rows})
    return Growths(threads, libraries, figures, _exponents(scaling))


def _figure(task: Task, scaling: ScalingResults) -> GrowthFigure:
    by_axis: dict[Along, list[Cost]] = {
        "dim": [row for row in scaling.along_dim if row.task == task],
        "batch": [row for row in scaling.along_batch if row.task == task],
    }
    ms = [_ms(row) for rows in by_axis.values() for row in rows]
    scale = Scale(min(ms), max(ms), BOTTOM, TOP)
    powers = range(math.ceil(math.log10(min(ms))), math.floor(math.log10(max(ms))) + 1)
    lines = [(scale.at(10.0**power), 10.0**power) for power in powers]
    rows = [_row(along, rows, scale) for along, rows in by_axis.items()]
    return GrowthFigure(TASKS[task], lines, rows)


def _row(along: Along, rows: Sequence[Cost], time: Scale) -> GrowthRow:
    sizes = sorted({getattr(row, along) for row in rows})
    across = Scale(sizes[0], sizes[-1], LEFT, RIGHT)
    shown = dict.fromkeys((sizes[0], sizes[(len(sizes) - 1) // 2], sizes[-1]))
    fixed = rows[0].batch if along == "dim" else rows[0].dim
    by_family: dict[str, dict[Curve, list[Cost]]] = {}
    for curve, costs in curves(rows).items():
        by_family.setdefault(curve.family, {})[curve] = costs
    plots = [
        _plot(FAMILIES[family], along, found, across, time)
        for family, found in by_family.items()
    ]
    return GrowthRow(along, fixed, [(across.at(size), size) for size in shown], plots)


def _plot(
    flow: str,
    along: Along,
    found: dict[Curve, list[Cost]],
    across: Scale,
    time: Scale,
) -> GrowthPlot:
    strokes: list[Stroke] = []
    furthest: dict[str, tuple[float, float]] = {}
    ends: dict[str, tuple[int, float]] = {}
    for curve, rows in found.items():
        points = [(across.at(getattr(row, along)), time.at(_ms(row))) for row in rows]
        line = " ".join(f"{x:g},{y:g}" for x, y in points)
        strokes.append(Stroke(curve.library, curve.threads, line))
        known = furthest.setdefault(curve.library, points[-1])
        furthest[curve.library] = max(known, points[-1], key=lambda point: point[0])
        if curve.threads == 1:
            ends[curve.library] = getattr(rows[-1], along), _ms(rows[-1])
    return GrowthPlot(flow, strokes, names(furthest), ends)


def names(ends: dict[str, tuple[float, float]]) -> list[CurveLabel]:
    """Put names beside the ends of lines, a line of text apart, and all of them in."""
    in_order = sorted(ends.items(), key=lambda item: item[1][1])
    ys: list[float] = []
    for number, (_, (_, y)) in enumerate(in_order):
        room_below = BOTTOM - LINE * (len(in_order) - 1 - number)
        least = ys[-1] + LINE if ys else TOP
        ys.append(max(least, min(y, room_below)))
    return [
        CurveLabel(library, x + 4, round(y, 1))
        for (library, (x, _)), y in zip(in_order, ys, strict=True)
    ]


def _exponents(scaling: ScalingResults) -> list[Exponents]:
    found: dict[tuple[str, Task, int, Along], dict[str, float]] = {}
    for row in scaling.growth:
        key = row.family, row.task, row.threads, row.along
        found.setdefault(key, {})[row.library] = row.time
    return [
        Exponents(FAMILIES[family], TASKS[task], threads, along, times)
        for (family, task, threads, along), times in found.items()
    ]


def _ms(row: Cost) -> float:
    return 1e3 * statistics.median(row.seconds)
