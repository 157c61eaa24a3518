"""Fields and paths of continuous flows → the drawings and the table of their page."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot
from pathlib import Path
from statistics import median
from typing import NamedTuple

from scripts.base.text import significant
from scripts.results.files import read
from scripts.results.straight import Carried, Point, StraightLines
from scripts.site.measured.curves import (
    BOTTOM,
    LEFT,
    TOP,
    CurveLabel,
    Scale,
    names,
)

# The side of a panel, in SVG's units; and how long the longest arrow of a field is.
SIDE = 400
ARROW = 30.0
# Where the lines of errors end: names need the room beside them.
RIGHT = 300.0


class PathPanel(NamedTuple):
    """One flow's paths and field, as SVG's path data."""

    paper: str
    name: str
    training: str
    starts: str
    paths: str
    ends: str
    field: str


class ErrorPlot(NamedTuple):
    """Errors by evaluations: y and words of lines across, x of ticks, a line a flow."""

    errors: Sequence[tuple[float, str]]
    evaluations: Sequence[tuple[float, int]]
    strokes: Sequence[tuple[str, str]]
    names: Sequence[CurveLabel]


class StraightRow(NamedTuple):
    """The numbers of one flow: medians over the seeds, and the gap's range."""

    flow: Carried
    seconds: float
    gap: float
    gaps: tuple[float, float]
    bend: float
    one_step: float
    eight: float
    adaptive: float


class Lines(NamedTuple):
    """All that the page shows."""

    report: StraightLines
    panels: Sequence[PathPanel]
    plot: ErrorPlot
    rows: Sequence[StraightRow]

    @property
    def bends(self) -> str:
        """Each flow's name and how far its paths bend."""
        return ", ".join(
            f"{row.flow.name} {significant(row.bend, 2)}" for row in self.rows
        )

    @property
    def seeds(self) -> int:
        """Number of trainings of each flow."""
        return len(self.report.flows[0].gap)


def straight_lines(results: Path) -> Lines | None:
    """Read straight.json and draw it; None before it is there; raises ResultsError."""
    path = results / "straight.json"
    if not path.exists():
        return None
    report = read(StraightLines, path)
    rows = [_row(flow) for flow in report.flows]
    return Lines(report, [*_panels(report)], _plot(report), rows)


def _row(flow: Carried) -> StraightRow:
    by_evaluations = {each.evaluations: median(each.error) for each in flow.euler}
    return StraightRow(
        flow,
        median(flow.seconds),
        median(flow.gap),
        (min(flow.gap), max(flow.gap)),
        median(flow.bend),
        by_evaluations[1],
        by_evaluations[8],
        median(flow.adaptive),
    )


def _panels(report: StraightLines) -> Sequence[PathPanel]:
    longest = ARROW / max(hypot(x, y) for f in report.flows for x, y in f.field)
    place = _Place(report.reach)
    return [
        PathPanel(
            flow.paper,
            flow.name,
            flow.training,
            "".join(f"M{place(path[0])}h0" for path in flow.paths),
            "".join(_path(path, place) for path in flow.paths),
            "".join(f"M{place(path[-1])}h0" for path in flow.paths),
            "".join(
                f"M{place(at)}l{round(x * longest)} {round(-y * longest)}"
                for at, (x, y) in zip(report.grid, flow.field, strict=True)
            ),
        )
        for flow in report.flows
    ]


class _Place(NamedTuple):
    """Where a point of the square stands in a panel, in whole units."""

    reach: float

    def __call__(self, point: Point) -> str:
        x, y = point
        scale = SIDE / (2 * self.reach)
        return f"{round((x + self.reach) * scale)} {round((self.reach - y) * scale)}"


def _path(points: Sequence[Point], place: _Place) -> str:
    first, *others = dict.fromkeys(map(place, points))
    return f"M{first}L{' '.join(others)}" if others else ""


def _plot(report: StraightLines) -> ErrorPlot:
    found = {
        flow.name: [(each.evaluations, median(each.error)) for each in flow.euler]
        for flow in report.flows
    }
    errors = [error for line in found.values() for _, error in line]
    counts = [evaluations for evaluations, _ in next(iter(found.values()))]
    across = Scale(counts[0], counts[-1], LEFT, RIGHT)
    down = Scale(min(errors), max(errors), BOTTOM, TOP)
    places = {
        name: [(across.at(count), down.at(error)) for count, error in line]
        for name, line in found.items()
    }
    powers = [
        power for power in range(-6, 3) if min(errors) <= 10.0**power <= max(errors)
    ]
    return ErrorPlot(
        [(down.at(10.0**power), f"{10.0**power:g}") for power in powers],
        [(across.at(count), count) for count in counts],
        [
            (name, " ".join(f"{x:g},{y:g}" for x, y in line))
            for name, line in places.items()
        ],
        names({name: line[-1] for name, line in places.items()}),
    )
