"""Results of `make gpu` → the Compare page and papers' pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scripts.base.dates import long_date
from scripts.results.gpu import SMALL, Gpu, Rounded
from scripts.results.races import races
from scripts.site.measured.races import FlowRatios, Times, contest


class OnGpu(NamedTuple):
    """The results of `make gpu`; tables as those of the CPU."""

    report: Gpu
    ratios: Sequence[FlowRatios]
    times: Sequence[Times]
    compiled: Sequence[Times]

    @property
    def libraries(self) -> list[str]:
        """Ours, and the peers that ran there."""
        rows = [*self.times, *self.compiled]
        return list(dict.fromkeys(name for row in rows for name in row.ms))

    def total(self, field: str) -> int:
        """Sum of a count over the promises of the contract."""
        return sum(getattr(row, field) for row in self.report.contract)

    @property
    def within(self) -> list[Rounded]:
        """Flows whose mean autocast moves by no more than `SMALL`."""
        return [row for row in self.report.autocast if row.shift <= SMALL]

    def of(self, paper: str) -> str:
        """Say how the paper's notebook did; "" when it was not run."""
        for row in (row for row in self.report.notebooks if row.paper == paper):
            held = sum(claim.holds for claim in row.claims)
            return (
                f"{self.report.gpu}, {long_date(self.report.date)}: {row.seconds} "
                f"seconds, {held} of {len(row.claims)} claims hold"
            )
        return ""


def on_gpu(report: Gpu) -> OnGpu:
    """Gather what is shown of a report."""
    run = contest(races(report.speed))
    compiled = contest(races(report.compiled))
    return OnGpu(report, run.ratios, run.times, compiled.times)
