"""Races between libraries → rows of tables, in ratios and in milliseconds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from scripts.results.forms import Memory, Seconds, Task
from scripts.results.races import Race
from scripts.site.measured.axis import Axis, axis

FAMILIES = {
    "real_nvp": "Real NVP",
    "maf": "MAF",
    "iaf": "IAF",
    "nsf": "NSF, coupling",
    "nsf_autoregressive": "NSF, autoregressive",
    "glow": "Glow",
}
TASKS: dict[Task, str] = {
    "log_density": "evaluate",
    "training_step": "train",
    "sample": "sample",
}
# Below this we call ourselves slower: less may be noise.
EVEN = 0.95


class FlowRatios(NamedTuple):
    """One flow in all libraries: how many times as fast, and as lean, as the best."""

    flow: str
    dim: int
    batch: int
    threads: int
    parameters: int
    ratios: dict[Task, float]
    memory: float | None


class Times(NamedTuple):
    """One task in all libraries, in ms: each one's median, and half its quartiles' gap.

    `ratio` is the fastest peer's time over ours; `processor` are medians of all cores'
    time, in ms, where they were measured.
    """

    flow: str
    dim: int
    batch: int
    threads: int
    task: str
    ratio: float
    ms: dict[str, tuple[float, float]]
    processor: dict[str, float]

    @property
    def fastest(self) -> float:
        """The smallest of the medians."""
        return min(median for median, _ in self.ms.values())


class FlowMeans(NamedTuple):
    """One flow over all its sizes: geometric means by task, and its worst ratio."""

    flow: str
    by_task: dict[Task, float]
    memory: float | None
    worst: float


class Contest(NamedTuple):
    """All races of one kind."""

    ratios: Sequence[FlowRatios]
    times: Sequence[Times]

    @property
    def by_flow(self) -> dict[str, list[FlowRatios]]:
        """Ratios by the flow's name."""
        found: dict[str, list[FlowRatios]] = {}
        for row in self.ratios:
            found.setdefault(row.flow, []).append(row)
        return found

    @property
    def libraries(self) -> list[str]:
        """Ours, and the peers."""
        return list(dict.fromkeys(name for row in self.times for name in row.ms))

    @property
    def slower(self) -> list[Times]:
        """The tasks that a peer does faster, worst first."""
        lost = [time for time in self.times if time.ratio < EVEN]
        return sorted(lost, key=lambda time: time.ratio)

    @property
    def mean(self) -> float:
        """The geometric mean of all ratios of time."""
        return statistics.geometric_mean(time.ratio for time in self.times)

    @property
    def means(self) -> list[FlowMeans]:
        """A line for each flow."""
        return [_means(flow, rows) for flow, rows in self.by_flow.items()]

    @property
    def axis(self) -> Axis:
        """Holds all ratios, and 1."""
        return axis([1.0, *(time.ratio for time in self.times)])


def _means(flow: str, rows: Sequence[FlowRatios]) -> FlowMeans:
    by_task: dict[Task, list[float]] = {}
    for row in rows:
        for task, ratio in row.ratios.items():
            by_task.setdefault(task, []).append(ratio)
    mean = statistics.geometric_mean
    weighed = [row.memory for row in rows if row.memory]
    return FlowMeans(
        flow,
        {task: mean(ratios) for task, ratios in by_task.items()},
        mean(weighed) if weighed else None,
        min(ratio for ratios in by_task.values() for ratio in ratios),
    )


def contest(run: Sequence[Race], memory: Iterable[Memory] = ()) -> Contest:
    """Gather races of one kind, and the peaks of their training steps."""
    return Contest(_ratios(run, memory), [times(race) for race in run])


def _ratios(run: Iterable[Race], memory: Iterable[Memory]) -> list[FlowRatios]:
    peaks: dict[tuple[str, int, int], dict[str, int]] = {}
    for row in memory:
        peaks.setdefault((row.family, row.dim, row.batch), {})[row.library] = row.bytes
    found = []
    for (_, threads, family, dim, batch), group in groupby(run, key=lambda r: r[:5]):
        together = list(group)
        weighed = peaks.get((family, dim, batch))
        found.append(
            FlowRatios(
                FAMILIES[family],
                dim,
                batch,
                threads,
                together[0].rows["ours"].parameters,
                {race.task: race.ratio for race in together},
                _leaner(weighed) if weighed else None,
            )
        )
    return found


def _leaner(bytes: dict[str, int]) -> float:
    return min(size for name, size in bytes.items() if name != "ours") / bytes["ours"]


def times(race: Race) -> Times:
    """Show each library's time of one race."""
    return Times(
        FAMILIES[race.family],
        race.dim,
        race.batch,
        race.threads,
        TASKS[race.task],
        race.ratio,
        {name: _middle(row.seconds) for name, row in race.rows.items()},
        {
            name: 1e3 * statistics.median(row.processor)
            for name, row in race.rows.items()
            if row.processor
        },
    )


def _middle(seconds: Seconds) -> tuple[float, float]:
    low, median, high = statistics.quantiles(seconds, n=4)
    return 1e3 * median, 1e3 * (high - low) / 2
