"""Races between libraries → rows of tables, in ratios and in milliseconds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from scripts.results.forms import Memory, Seconds, Task
from scripts.results.races import Race

FAMILIES = {
    "real_nvp": "Real NVP",
    "maf": "MAF",
    "iaf": "IAF",
    "nsf": "NSF, coupling",
    "nsf_autoregressive": "NSF, autoregressive",
}
TASKS: dict[Task, str] = {
    "log_density": "evaluate",
    "training_step": "train",
    "sample": "sample",
}


class FlowRatios(NamedTuple):
    """One flow in all libraries: how many times as fast, and as lean, as the best."""

    flow: str
    dim: int
    batch: int
    parameters: int
    ratios: dict[Task, float]
    memory: float | None


class Times(NamedTuple):
    """One task in all libraries, in ms: each one's median, and half its quartiles' gap.

    `ratio` is the fastest peer's time over ours.
    """

    flow: str
    dim: int
    batch: int
    task: str
    ratio: float
    ms: dict[str, tuple[float, float]]


def ratios(run: Iterable[Race], memory: Iterable[Memory]) -> list[FlowRatios]:
    """Gather the races of each flow, and the peaks of its training steps."""
    peaks: dict[tuple[str, int, int], dict[str, int]] = {}
    for row in memory:
        peaks.setdefault((row.family, row.dim, row.batch), {})[row.library] = row.bytes
    found = []
    for key, group in groupby(run, key=lambda race: race[:3]):
        together = list(group)
        found.append(
            FlowRatios(
                FAMILIES[together[0].family],
                together[0].dim,
                together[0].batch,
                together[0].rows["ours"].parameters,
                {race.task: race.ratio for race in together},
                _leaner(peaks[key]) if key in peaks else None,
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
        TASKS[race.task],
        race.ratio,
        {name: _middle(row.seconds) for name, row in race.rows.items()},
    )


def _middle(seconds: Seconds) -> tuple[float, float]:
    low, median, high = statistics.quantiles(seconds, n=4)
    return 1e3 * median, 1e3 * (high - low) / 2
