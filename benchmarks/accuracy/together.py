"""All fits on workers: each that has finished is kept, and none of them runs twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.accuracy.fitting import Budget, Fit, run
from benchmarks.accuracy.kept import KeptFits
from benchmarks.command import say
from benchmarks.libraries.families import PEERS
from benchmarks.machine import head
from scripts.cluster.facts import facts
from scripts.cluster.opening import open_cluster
from scripts.cluster.place import Needs, Workplace
from scripts.cluster.running import Cluster, together
from scripts.cluster.signals import cancel_on_signals
from scripts.results.forms import Course

# Seconds stand beside each other from one kind of processor alone.
NEEDS = Needs(
    ("scripts", "benchmarks", "implementations"), ("torch", *PEERS), ("machine",)
)
# What tells in a fit's course.
_TELLS = Needs(
    ("benchmarks/accuracy", "benchmarks/libraries", "implementations"),
    NEEDS.packages,
    (),
)


async def measure(
    asked: Sequence[Fit], budget: Budget, place: Workplace, folder: Path | None
) -> tuple[Mapping[str, Any], list[Course]]:
    """Run the fits at a place, and keep each in the folder; tell how far it is.

    Return the head of the results, from a machine that ran them, and the courses in
    the order of the fits. Raises ClusterError, JobLost and WriteError.
    """
    cancel_on_signals()
    async with open_cluster(place, NEEDS) as cluster, cluster.watched(say):
        about = await cluster.run(head_here, name=("head",))
        origin = f"{facts(_TELLS).digest} {about['machine']}"
        batch = _FitBatch(cluster, budget, KeptFits(folder, origin, budget), len(asked))
        courses = await together(batch.one(fit) for fit in asked)
    return about, courses


def head_here() -> Mapping[str, Any]:
    """Return the head of results from the machine that this runs on, on one thread."""
    import torch

    torch.set_num_threads(1)
    return head(*PEERS)


@dataclass
class _FitBatch:
    """Fits that are run together, and what they share."""

    cluster: Cluster
    budget: Budget
    kept: KeptFits
    total: int
    finished: int = 0

    async def one(self, fit: Fit) -> Course:
        """Recall one fit, or run and keep it; say what it came to."""
        course = self.kept.find(fit)
        if course is None:
            name = ("fit", fit.target, fit.family, fit.library, fit.seed)
            course = await self.cluster.run(run, fit, self.budget, name=name)
            self.kept.keep(fit, course)
        self.finished += 1
        say(f"[{self.finished}/{self.total}] {_line(course)}")
        return course


def _line(course: Course) -> str:
    end = course.gaps[-1]
    name = f"{course.target}: {course.family}, {course.library}, seed {course.seed}"
    return f"{name}: {'diverged' if end is None else f'{end:.3f} nats'}"
