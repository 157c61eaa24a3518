"""Univariate maps on one conditioner → the table of the Compare page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from scripts.results.files import read
from scripts.results.univariate import MapTrained, UnivariateMaps

ON_CONDITIONER = "One layer, on the conditioner"
WHOLE = "Whole flows, without a conditioner"


class MapRow(NamedTuple):
    """The numbers of one library's map: medians, and milliseconds."""

    flow: MapTrained
    gaps: Sequence[float | None]
    train: float
    sample: float


class Duel(NamedTuple):
    """Our gap over another library's, of one map on one target."""

    name: str
    target: str
    ratio: float


class Maps(NamedTuple):
    """All that the page shows: rows of maps on a conditioner, then whole flows."""

    report: UnivariateMaps
    rows: Sequence[MapRow]

    @property
    def groups(self) -> Mapping[str, Sequence[MapRow]]:
        """Rows with a conditioner and without, by what stands above them."""
        groups = {
            "One layer, on the conditioner": [r for r in self.rows if not r.flow.whole],
            "Whole flows, without a conditioner": [
                r for r in self.rows if r.flow.whole
            ],
        }
        return {name: rows for name, rows in groups.items() if rows}

    @property
    def duels(self) -> Sequence[Duel]:
        """Our gap over that of the same map of another library, on each target."""
        ours = {row.flow.name: row for row in self.rows if row.flow.library == "ours"}
        return [
            Duel(row.flow.name, target, mine / theirs)
            for row in self.rows
            if row.flow.library != "ours" and row.flow.name in ours
            for target, mine, theirs in zip(
                self.report.targets, ours[row.flow.name].gaps, row.gaps, strict=True
            )
            if mine is not None and theirs is not None
        ]

    @property
    def behind(self) -> Sequence[Duel]:
        """Those in which ours is further from the truth."""
        return [duel for duel in self.duels if duel.ratio > 1]

    @property
    def seeds(self) -> int:
        """Number of trainings of each flow on each target."""
        return len(next(iter(self.report.flows[0].gaps.values())))


def univariate_maps(results: Path) -> Maps | None:
    """Read univariate.json; None before it is there; raises ResultsError."""
    path = results / "univariate.json"
    if not path.exists():
        return None
    report = read(UnivariateMaps, path)
    return Maps(report, [_row(flow, report.targets) for flow in report.flows])


def _row(flow: MapTrained, targets: Sequence[str]) -> MapRow:
    return MapRow(
        flow,
        [_median(flow.gaps[target]) for target in targets],
        1e3 * median(flow.train),
        1e3 * median(flow.sample),
    )


def _median(values: Sequence[float | None]) -> float | None:
    """Return the median, None where one training did not end well."""
    found = [value for value in values if value is not None]
    return median(found) if len(found) == len(values) else None
