"""Results of the benchmarks → what the Compare page and the papers' pages show."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.results.files import read
from scripts.results.forms import CompiledFlows, Flows, Gaps, Kind
from scripts.results.gpu import Gpu
from scripts.results.races import races
from scripts.results.scaling import Along, Cost, Curve, Growth, ScalingResults, curves
from scripts.site.measured.axis import Axis, axis
from scripts.site.measured.compiled import CompiledTable, compiled_table
from scripts.site.measured.curves import Growths, growths
from scripts.site.measured.gpu import OnGpu, on_gpu
from scripts.site.measured.races import FAMILIES, Contest, contest

# What an event is, by how many axes it has.
EVENTS = {
    1: "vectors of width {}",
    2: "{} nodes of {} features",
    3: "images of {}×{}×{}",
}
# Families of several flows, then all others.
GROUPS = ("Coupling", "Autoregressive", "Others")


class FlowRow(NamedTuple):
    """One flow of ours: times in ms for a batch of events, gaps in nats by seed."""

    paper: str
    name: str
    family: str
    events: str
    batch: int
    parameters: int
    log_density: float
    sample: float
    training_step: float
    log_det: str
    gaps: Sequence[float]
    round_trip: float | None

    @property
    def group(self) -> str:
        """The first word of its family, where others share it."""
        kind = self.family.partition(", ")[0].capitalize()
        return kind if kind in GROUPS else GROUPS[-1]

    @property
    def map(self) -> str:
        """The rest of its family, beside the group."""
        return self.family.partition(", ")[2] or self.family

    @property
    def gap(self) -> float | None:
        """The median over seeds."""
        return statistics.median(self.gaps) if self.gaps else None


class Sampling(NamedTuple):
    """The growth of our sampling: ms at the least, middle, largest size."""

    flow: str
    ms: dict[int, float]
    growth: Growth


class Comparison(NamedTuple):
    """Everything that is shown.

    `growths` are none where only our own sampling has been timed at several sizes,
    `compiled` is none before it was measured, and `gpu` before `make gpu` has run on a
    GPU.
    """

    flows: Flows
    trained: Gaps
    scaling: ScalingResults
    growths: Growths | None
    lines: Sequence[FlowRow]
    defaults: Contest
    equal: Contest
    compiled: CompiledTable | None
    gpu: OnGpu | None

    @property
    def holds(self) -> dict[str, str]:
        """The parts of each library's default flow, by the family's name."""
        return {FAMILIES[family]: words for family, words in self.flows.holds.items()}

    def of(self, paper: str) -> list[FlowRow]:
        """Lines of the paper's flows."""
        return [line for line in self.lines if line.paper == paper]

    @property
    def by_group(self) -> dict[str, list[FlowRow]]:
        """Lines by their group."""
        groups: dict[str, list[FlowRow]] = {name: [] for name in GROUPS}
        for line in self.lines:
            groups[line.group].append(line)
        return {name: lines for name, lines in groups.items() if lines}

    @property
    def best(self) -> dict[str, float]:
        """The smallest value of each column, among flows on the plane."""
        plane = self.nearest_first
        columns = ("gap", "sample", "log_density", "training_step", "parameters")
        found = {name: min(getattr(line, name) for line in plane) for name in columns}
        trips = [line.round_trip for line in plane if line.round_trip is not None]
        return found | {"round_trip": min(trips)}

    @property
    def main(self) -> Contest:
        """The races of default flows, or where there are none yet, of equal layers."""
        return self.defaults if self.defaults.times else self.equal

    @property
    def by_dim(self) -> list[Sampling]:
        """The growth of our sampling with the dimension, on one thread."""
        return _sampling(self.scaling, "dim", self.scaling.along_dim)

    @property
    def by_batch(self) -> list[Sampling]:
        """The growth of our sampling with the batch, on one thread."""
        return _sampling(self.scaling, "batch", self.scaling.along_batch)

    @property
    def nearest_first(self) -> list[FlowRow]:
        """Lines with a gap, the smallest first."""
        with_gap = [line for line in self.lines if line.gaps]
        return sorted(with_gap, key=lambda line: line.gap or 0)

    @property
    def gap_axis(self) -> Axis:
        """Holds all gaps."""
        return axis(gap for line in self.lines for gap in line.gaps)


def compare(results: Path) -> Comparison:
    """Read the results in a folder; raises ResultsError."""
    flows = read(Flows, results / "flows.json")
    trained = read(Gaps, results / "gaps.json")
    scaling = read(ScalingResults, results / "scaling.json")
    compiled, gpu = results / "compiled.json", results / "gpu.json"
    return Comparison(
        flows,
        trained,
        scaling,
        growths(scaling),
        _lines(flows, trained),
        _contest(flows, "default"),
        _contest(flows, "equal"),
        compiled_table(read(CompiledFlows, compiled)) if compiled.exists() else None,
        on_gpu(read(Gpu, gpu)) if gpu.exists() else None,
    )


def _contest(flows: Flows, kind: Kind) -> Contest:
    run = [race for race in races(flows.contests) if race.kind == kind]
    return contest(run, [row for row in flows.memory if row.kind == kind])


def _lines(flows: Flows, trained: Gaps) -> list[FlowRow]:
    gaps = {(gap.paper, gap.name): gap for gap in trained.gaps}
    lines = []
    for flow in flows.flows:
        gap = gaps.get((flow.paper, flow.name))
        lines.append(
            FlowRow(
                paper=flow.paper,
                name=flow.name,
                family=flow.family,
                events=EVENTS[len(flow.shape)].format(*flow.shape),
                batch=flow.batch,
                parameters=flow.parameters,
                log_density=1e3 * statistics.median(flow.log_density),
                sample=1e3 * statistics.median(flow.sample),
                training_step=1e3 * statistics.median(flow.training_step),
                log_det=flow.log_det,
                gaps=gap.gap if gap else (),
                round_trip=gap.round_trip if gap else None,
            )
        )
    return lines


def _sampling(
    scaling: ScalingResults, along: Along, costs: Sequence[Cost]
) -> list[Sampling]:
    rows = []
    of_curve = curves(costs)
    for growth in scaling.growth:
        ours = Curve(1, growth.family, "sample", "ours")
        if (growth.along, growth.curve) != (along, ours):
            continue
        ms = {
            getattr(cost, along): 1e3 * statistics.median(cost.seconds)
            for cost in of_curve[ours]
        }
        shown = {size: ms[size] for size in (min(ms), growth.start, max(ms))}
        rows.append(Sampling(FAMILIES[growth.family], shown, growth))
    return rows
