"""Flows under torch.compile beside the same flows as they are, on a CPU.

`python -m benchmarks.compiled` writes benchmarks/results/compiled.json: our default
flows and those of zuko, nflows and normflows, and our other flows. A training step
comes first, so that the log-density is that of a trained flow. ×2 means that compiling
halves the time. All libraries take turns, eager and compiled, on all cores. What
cannot be compiled is a row that says why.
"""

from __future__ import annotations

import gc
import math
import statistics
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch._inductor.utils import fresh_cache

from benchmarks.command import FOLDER, Command, named, say, write
from benchmarks.compiled.apart import Crashes, Running, apart
from benchmarks.compiled.attempts import LIMIT, Attempt, attempt, difference
from benchmarks.libraries.defaults import PIXELS
from benchmarks.libraries.families import PEERS
from benchmarks.libraries.model import FlowModel
from benchmarks.libraries.ours import Ours
from benchmarks.machine import head
from benchmarks.ours import OUR_FLOWS, OurFlow
from benchmarks.plan import ALL_THREADS, FAMILIES, TASKS, Plan, Raced
from benchmarks.speed.tasks import Run, tasks
from benchmarks.speed.timing import by_clocks, rounded
from implementations.core.flow import Flow
from implementations.core.nets import size
from scripts.results.forms import Compilation, CompiledFlows, Task

RESULTS = FOLDER / "compiled.json"
# Of log-densities, relative to 1 + |log p|, in float32.
TOLERANCE = 1e-3
ASKED: tuple[Task, ...] = ("training_step", "log_density")
# Flows of ours that are among the default flows.
DEFAULT = {"Real NVP", "MAF", "IAF", "NSF, coupling", "NSF, autoregressive", "Glow"}
FULL = Plan(
    {"default": {family: (PIXELS if family == "glow" else 64,) for family in FAMILIES}},
    batches=(512,),
    threads=(ALL_THREADS,),
    repeats=7,
    own=[each for each in OUR_FLOWS if each.name not in DEFAULT],
)
QUICK = replace(
    FULL,
    dims={"default": {"maf": (2,)}},
    batches=(64,),
    threads=(1,),
    repeats=3,
    own=[each for each in OUR_FLOWS if each.name == "Linear"],
)


class Trial(NamedTuple):
    """A flow in the libraries that have it, and the points that it is measured at."""

    paper: str | None
    flow: str
    models: Mapping[str, FlowModel]
    x: Tensor
    tasks: Sequence[Task]


def planned(plan: Plan, families: Sequence[str]) -> dict[str, Callable[[], Trial]]:
    """By the flow's name, how to build what is planned: these families, then ours."""

    def raced(place: Raced) -> Trial:
        asked: list[Task] = [task for task in ASKED if task in place.tasks()]
        return Trial(None, place.family, place.build(), place.draw(), asked)

    def alone(own: OurFlow) -> Trial:
        x = torch.randn(plan.batches[0], *own.shape)
        return Trial(own.paper, own.name, {"ours": Ours(own.build())}, x, ASKED)

    return {
        **{each.family: partial(raced, each) for each in plan.places(families)},
        **{own.name: partial(alone, own) for own in plan.own},
    }


def _build_and_time(
    build: Callable[[], Trial],
    plan: Plan,
    crashes: Crashes,
    tell: Callable[[Running], None],
) -> list[Compilation]:
    torch.manual_seed(0)
    torch.set_num_threads(plan.threads[0])
    # A second try must not find what the first one compiled.
    with fresh_cache():
        # The first compilation also prepares what all of them share.
        torch.compile(torch.sigmoid)(torch.zeros(8))
        return compilations(build(), plan, crashes, tell)


def compilations(
    trial: Trial, plan: Plan, crashes: Crashes, tell: Callable[[Running], None]
) -> list[Compilation]:
    """Time each task of a flow in all libraries, eager and compiled, in turns.

    `crashes` are faults known from an earlier try; `tell` hears what runs next.
    """
    for model in trial.models.values():
        # MADE is no flow, and has nothing to set.
        if not isinstance(model, Ours) or isinstance(model.flow, Flow):
            model.prepare(trial.x)
    rows: list[Compilation] = []
    for task in trial.tasks:
        known = {name: fault for (of, name), fault in crashes.items() if of == task}
        rows += _of_task(trial, task, plan, known, tell)
    return rows


def _of_task(
    trial: Trial,
    task: Task,
    plan: Plan,
    known: Mapping[str, str],
    tell: Callable[[Running], None],
) -> Iterator[Compilation]:
    # Else a flow would count as one of many that share their code.
    torch.compiler.reset()
    attempts: dict[str, Attempt] = {}
    runs: dict[tuple[str, bool], Run] = {}
    for name, model in trial.models.items():
        model.train(task == "training_step")
        runs[name, False] = tasks(model, trial.x)[task]
        say(f"{trial.flow}, {TASKS[task]}: compiling {name}")
        tell(Running(task, (name,)))
        attempts[name] = attempt(model, trial.x, task, known.get(name, ""))
        if not attempts[name].fault:
            runs[name, True] = attempts[name].run
    say(f"{trial.flow}, {TASKS[task]}: {len(runs)} in turns")
    tell(Running(task, tuple(name for name, compiled in runs if compiled)))
    times = by_clocks(runs, plan.repeats, *plan.clocks)
    for name, tried in attempts.items():
        yield _row(trial, task, name, tried, times)


def _row(
    trial: Trial,
    task: Task,
    name: str,
    tried: Attempt,
    times: Mapping[tuple[str, bool], Sequence[Sequence[float]]],
) -> Compilation:
    model, fault = trial.models[name], tried.fault
    apart: float | None = None
    seconds, processor = map(rounded, times[name, False])
    compiled = [*map(rounded, times.get((name, True), ()))] or [None, None]
    if not fault:
        apart = difference(model, tried.density, trial.x, task)
        if apart is not None and not apart <= TOLERANCE:
            fault = f"wrong: log p differs by {apart:.1g}"
    return Compilation(
        paper=trial.paper,
        flow=trial.flow,
        dim=trial.x[0].numel(),
        batch=len(trial.x),
        task=task,
        library=name,
        parameters=size(model),
        seconds=seconds,
        processor=processor,
        compiled_seconds=compiled[0],
        compiled_processor=compiled[1],
        first=tried.first,
        breaks=tried.breaks,
        difference=apart if apart is not None and math.isfinite(apart) else None,
        fault=fault,
    )


def measure(plan: Plan, families: Sequence[str]) -> CompiledFlows:
    """Measure what the plan says of these families; tell how far it is on stderr."""
    gc.freeze()  # What is imported need not be searched for garbage.
    rows: list[Compilation] = []
    builds = planned(plan, families)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # What torch has to say of libraries' code.
        for k, (name, build) in enumerate(builds.items(), 1):
            say(f"[{k}/{len(builds)}] {name}")
            for row in apart(partial(_build_and_time, build, plan)):
                print(line(row), flush=True)
                rows.append(row)
    return CompiledFlows(
        **head(*PEERS), repeats=plan.repeats, limit=LIMIT, rows=tuple(rows)
    )


def line(row: Compilation) -> str:
    """Say on one line what compiling has done."""
    what = f"{row.flow}, {row.dim}-d ×{row.batch}, {TASKS[row.task]}, {row.library}"
    eager = statistics.median(row.seconds)
    if row.compiled_seconds is None:
        return f"{what:60} {1e3 * eager:.4g} ms, {row.fault}"
    after = statistics.median(row.compiled_seconds)
    told = f"{1e3 * eager:.4g} → {1e3 * after:.4g} ms, first {row.first:.3g} s"
    return f"{what:60} ×{eager / after:<6.3g} {told} {row.fault}".rstrip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    command = Command(
        RESULTS,
        "Time log-densities and training steps under torch.compile beside eager ones, "
        "of default flows in all libraries, and of our other flows. ×2 means that "
        "compiling halves the time. --only measures default flows only.",
        quick="two small flows, a minute",
        only=FAMILIES,
    )
    args = command.parse(arguments)
    plan = QUICK if args.quick else FULL
    families = named(command, args.only, FAMILIES)
    write(measure(replace(plan, own=()) if args.only else plan, families), args.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
