"""Results on how exact, robust and accurate flows are → the Exactness page."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from scripts.base.text import significant
from scripts.results.files import read
from scripts.results.forms import Accuracy, Course, Exactness, FlowAnswer, Question
from scripts.site.measured.races import FAMILIES

# Panels of the plot, in its own units, with room for the numbers at its edges.
WIDTH, HEIGHT, MARGIN = 200.0, 130.0, 14.0
# A gap is estimated, on the same points for all: less of a difference may be chance.
EVEN = 0.002


class SheetCell(NamedTuple):
    """One answer, and the number of the note that goes with it."""

    shown: str
    verdict: str
    note: int | None


class SheetRow(NamedTuple):
    """The answers of one flow to the questions of a sheet, in their order."""

    library: str
    flow: str
    cells: Sequence[SheetCell]


class Sheet(NamedTuple):
    """Questions under one heading, and a line for each flow."""

    group: str
    questions: Sequence[Question]
    lines: Sequence[SheetRow]

    @property
    def by_library(self) -> dict[str, list[SheetRow]]:
        """Lines by library, ours first."""
        groups: dict[str, list[SheetRow]] = {}
        for line in self.lines:
            groups.setdefault(line.library, []).append(line)
        return groups


class Tally(NamedTuple):
    """The number of questions that a library keeps, of those that concern its flows."""

    library: str
    flows: int
    asked: int
    kept: int
    stops: int
    fails: int


class End(NamedTuple):
    """Where the trainings of one library ended: gaps in nats, seconds of all steps.

    `median` is null where half of them or more diverged.
    """

    median: float | None
    low: float
    high: float
    seconds: float


class Fitting(NamedTuple):
    """One family on one target, by library."""

    target: str
    family: str
    ends: dict[str, End]

    @property
    def behind(self) -> bool:
        """True where a peer ends nearer to the truth, by more than chance."""
        return self.lag > EVEN

    @property
    def nearest(self) -> float:
        """The smallest of the medians."""
        return min(_or_infinity(end.median) for end in self.ends.values())

    @property
    def lag(self) -> float:
        """By how many nats we are behind the best peer; negative where ahead."""
        ours = _or_infinity(self.ends["ours"].median)
        theirs = [e.median for name, e in self.ends.items() if name != "ours"]
        return ours - min(map(_or_infinity, theirs))


class Panel(NamedTuple):
    """Median gap against median seconds, both logarithmic: library → its polyline."""

    target: str
    curves: dict[str, str]
    seconds: tuple[float, float]
    gaps: tuple[float, float]


class Fits(NamedTuple):
    """The results of fitting known densities."""

    accuracy: Accuracy
    matches: Sequence[Fitting]
    panels: dict[str, Sequence[Panel]]

    @property
    def by_family(self) -> dict[str, list[Fitting]]:
        """Matches by the family's name."""
        groups = {name: list[Fitting]() for name in self.panels}
        for match in self.matches:
            groups[match.family].append(match)
        return groups

    @property
    def behind(self) -> list[Fitting]:
        """Where a peer is nearer to the truth, furthest first."""
        behind = [match for match in self.matches if match.behind]
        return sorted(behind, key=lambda match: -match.lag)

    @property
    def seeds(self) -> int:
        """The number of trainings of each kind."""
        return 1 + max(course.seed for course in self.accuracy.courses)


class GroupTally(NamedTuple):
    """By library: how many questions of a group pass, of those that concern it."""

    group: str
    kept: dict[str, tuple[int, int]]


class Examination(NamedTuple):
    """Everything that is shown; `fits` is none before `benchmarks.accuracy` has run."""

    exactness: Exactness
    sheets: Sequence[Sheet]
    notes: Sequence[str]
    tallies: Sequence[Tally]
    fits: Fits | None

    @property
    def by_group(self) -> list[GroupTally]:
        """The tally of each heading."""
        return [_group(sheet) for sheet in self.sheets]


def examine(results: Path) -> Examination:
    """Read the results in a folder; raises ResultsError."""
    exactness = read(Exactness, results / "exactness.json")
    notes = list(dict.fromkeys(f.reason for f in exactness.findings if f.reason))
    accuracy = results / "accuracy.json"
    return Examination(
        exactness,
        _sheets(exactness, notes),
        notes,
        _tallies(exactness.findings),
        fits(read(Accuracy, accuracy)) if accuracy.exists() else None,
    )


def fits(accuracy: Accuracy) -> Fits:
    """Gather the courses by what was fitted to what."""
    kinds = _kinds(accuracy.courses)
    return Fits(accuracy, _matches(kinds), _panels(kinds))


def _sheets(exactness: Exactness, notes: Sequence[str]) -> list[Sheet]:
    sheets = []
    for group, questions in groupby(exactness.questions, key=lambda each: each.group):
        asked = list(questions)
        lines = []
        flows = groupby(exactness.findings, key=lambda row: (row.library, row.flow))
        for (library, flow), rows in flows:
            by_check = {row.check: row for row in rows}
            cells = [_cell(by_check[each.check], notes) for each in asked]
            lines.append(SheetRow(library, flow, cells))
        sheets.append(Sheet(group, asked, lines))
    return sheets


def _cell(finding: FlowAnswer, notes: Sequence[str]) -> SheetCell:
    note = notes.index(finding.reason) + 1 if finding.reason else None
    return SheetCell(_shown(finding.shown), finding.verdict, note)


def _shown(shown: str) -> str:
    """Write 4e-16 as the site writes numbers; leave words alone."""
    try:
        return significant(float(shown), 1)
    except ValueError:
        return shown


def _group(sheet: Sheet) -> GroupTally:
    counts: dict[str, tuple[int, int]] = {}
    for line in sheet.lines:
        kept, asked = counts.get(line.library, (0, 0))
        verdicts = [cell.verdict for cell in line.cells if cell.verdict != "absent"]
        asked += len(verdicts)
        counts[line.library] = kept + verdicts.count("kept"), asked
    return GroupTally(sheet.group, counts)


def _tallies(findings: Iterable[FlowAnswer]) -> list[Tally]:
    tallies = []
    for library, rows in groupby(findings, key=lambda row: row.library):
        asked = [row for row in rows if row.verdict != "absent"]
        counts = [
            sum(r.verdict == v for r in asked) for v in ("kept", "stops", "fails")
        ]
        flows = len({row.flow for row in asked})
        tallies.append(Tally(library, flows, len(asked), *counts))
    return tallies


Kinds = dict[tuple[str, str], dict[str, list[Course]]]


def _kinds(courses: Iterable[Course]) -> Kinds:
    """Sort courses by target and family, then by library."""
    kinds: Kinds = {}
    for course in courses:
        libraries = kinds.setdefault((course.target, course.family), {})
        libraries.setdefault(course.library, []).append(course)
    return kinds


def _matches(kinds: Kinds) -> list[Fitting]:
    return [
        Fitting(
            target,
            FAMILIES[family],
            {name: _end(courses) for name, courses in libraries.items()},
        )
        for (target, family), libraries in kinds.items()
    ]


def _end(courses: Sequence[Course]) -> End:
    gaps = sorted(_or_infinity(course.gaps[-1]) for course in courses)
    median = statistics.median(gaps)
    seconds = statistics.median(course.seconds[-1] for course in courses)
    return End(median if math.isfinite(median) else None, gaps[0], gaps[-1], seconds)


def _panels(kinds: Kinds) -> dict[str, Sequence[Panel]]:
    panels: dict[str, list[Panel]] = {}
    for (target, family), libraries in kinds.items():
        curves = {name: _medians(courses) for name, courses in libraries.items()}
        panels.setdefault(FAMILIES[family], []).append(_panel(target, curves))
    return dict(panels)


Points = list[tuple[float, float]]


def _medians(courses: Sequence[Course]) -> Points:
    """Median seconds and median gap at each checkpoint, where that is positive."""
    seconds = zip(*(course.seconds for course in courses), strict=True)
    gaps = zip(*(map(_or_infinity, course.gaps) for course in courses), strict=True)
    points = zip(
        map(statistics.median, seconds), map(statistics.median, gaps), strict=True
    )
    return [(x, y) for x, y in points if 0 < y < math.inf]


def _panel(target: str, curves: dict[str, Points]) -> Panel:
    x, y = ([p[axis] for points in curves.values() for p in points] for axis in (0, 1))
    seconds, gaps = (min(x), max(x)), (min(y), max(y))
    lines = {
        name: " ".join(
            f"{_along(s, seconds) * (WIDTH - 2 * MARGIN) + MARGIN:.1f},"
            f"{(1 - _along(g, gaps)) * (HEIGHT - 2 * MARGIN) + MARGIN:.1f}"
            for s, g in points
        )
        for name, points in curves.items()
    }
    return Panel(target, lines, seconds, gaps)


def _along(value: float, ends: tuple[float, float]) -> float:
    """Where a value stands between two others on a logarithmic axis, from 0 to 1."""
    low, high = map(math.log, ends)
    return (math.log(value) - low) / (high - low) if high > low else 0.5


def _or_infinity(gap: float | None) -> float:
    return math.inf if gap is None else gap
