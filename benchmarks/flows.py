"""Our flows beside zuko, nflows and normflows: time and memory.

`python -m benchmarks.flows` writes benchmarks/results/flows.json and prints ratios:
×2 means that we take half the time of the fastest peer. First come each library's
default flows, then equal layers; on one thread, then on as many as torch takes by
itself; libraries in turns. `--quick` takes seconds, and fails where a ratio has
collapsed.
"""

from __future__ import annotations

import gc
import statistics
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from benchmarks.command import FOLDER, Command, named, say, write
from benchmarks.libraries.defaults import HOLDS
from benchmarks.libraries.families import PEERS
from benchmarks.libraries.model import FlowModel
from benchmarks.machine import head
from benchmarks.ours import UNMEASURED, OurFlow
from benchmarks.plan import (
    ALL_THREADS,
    FAMILIES,
    FULL,
    LEFT_OUT,
    QUICK,
    TASKS,
    Plan,
    Raced,
    on,
)
from benchmarks.speed.memory import peak_bytes
from benchmarks.speed.tasks import Run, tasks
from benchmarks.speed.timing import Clock, by_clocks, interleaved, rounded
from implementations.core.flow import Flow
from implementations.core.nets import size
from scripts.results import forms
from scripts.results.forms import LibraryTiming, Memory, Seconds, Task, Timing
from scripts.results.races import Race, races

RESULTS = FOLDER / "flows.json"


# Below this, against the fastest peer, a ratio has collapsed; less is forgiven where
# components come one after another, since we are several times as fast there.
LEAST, LEAST_UNROLLED = 0.4, 0.8
UNROLLED = {("maf", "sample"), ("iaf", "log_density")}


def library_timings(
    place: Raced,
    libraries: Mapping[str, FlowModel],
    x: Tensor,
    repeats: int,
    clocks: Sequence[Clock],
) -> Iterator[LibraryTiming]:
    """Time every task of the flow in all libraries, which take turns."""
    for model in libraries.values():
        model.prepare(x)
    runs = {name: tasks(model, x) for name, model in libraries.items()}
    for task in place.tasks():
        for model in libraries.values():
            model.train(task == "training_step")
        turns = {name: run[task] for name, run in runs.items()}
        for name, times in by_clocks(turns, repeats, *clocks).items():
            seconds, *beside = map(rounded, times)
            yield LibraryTiming(
                **place._asdict(),
                task=task,
                library=name,
                parameters=size(libraries[name]),
                seconds=seconds,
                processor=beside[0] if beside else None,
            )


def memory(place: Raced) -> Iterator[Memory]:
    """Measure the peak of a training step in all libraries."""
    x = place.draw()
    where = {key: value for key, value in place._asdict().items() if key != "threads"}
    for name, model in place.build().items():
        model.prepare(x)
        model.train()
        run = tasks(model, x)["training_step"]
        run()  # What Adam allocates in its first step stays; gradients do not.
        model.zero_grad()
        yield Memory(**where, library=name, bytes=peak_bytes(run))


def timings(own: Sequence[OurFlow], points: int, repeats: int) -> Iterator[Timing]:
    """Time all tasks of our flows, which take turns. They are not trained."""
    models = {each.name: each.build() for each in own}
    runs: dict[str, Mapping[Task, Run]] = {}
    for each in own:
        x, model = torch.randn(points, *each.shape), models[each.name]
        if isinstance(model, Flow):
            model.initialise(x)
        runs[each.name] = tasks(model, x)
    seconds: dict[Task, dict[str, Seconds]] = {}
    for task in TASKS:
        for model in models.values():
            model.train(task == "training_step")
        turns = {name: run[task] for name, run in runs.items()}
        seconds[task] = interleaved(turns, repeats)
    for each in own:
        yield Timing(
            paper=each.paper,
            name=each.name,
            family=each.family,
            shape=each.shape,
            parameters=size(models[each.name]),
            batch=points,
            log_det=each.log_det,
            **{task: rounded(by_name[each.name]) for task, by_name in seconds.items()},
        )


def measure(plan: Plan, families: Sequence[str]) -> forms.Flows:
    """Measure what the plan says of these families; tell how far it is on stderr."""
    torch.manual_seed(0)
    # nflows calls what torch is going to remove.
    warnings.filterwarnings("ignore", r"torch\.\w+ is deprecated")
    gc.freeze()  # What is imported need not be searched for garbage.
    places = plan.places(families)
    contests: list[LibraryTiming] = []
    peaks: list[Memory] = []
    for number, place in enumerate(places, 1):
        say(f"[{number}/{len(places)}] {words(place)}")
        torch.set_num_threads(place.threads)
        rows = list(
            library_timings(
                place, place.build(), place.draw(), plan.repeats, plan.clocks
            )
        )
        for race in races(rows):
            print(line(race), flush=True)
        contests += rows
        trained = "training_step" in place.tasks()
        if trained and place.threads == places[0].threads:
            peaks += memory(place)
    torch.set_num_threads(1)
    own: tuple[Timing, ...] = ()
    if plan.own:
        say(f"our {len(plan.own)} flows, on their own")
        own = tuple(timings(plan.own, plan.batches[0], plan.repeats))
    torch.set_num_threads(ALL_THREADS)
    return forms.Flows(
        **head(*PEERS),
        repeats=plan.repeats,
        holds=HOLDS,
        flows=own,
        contests=tuple(contests),
        memory=tuple(peaks),
        left_out=(*LEFT_OUT, *UNMEASURED),
    )


def words(place: Raced) -> str:
    """Say what is raced."""
    kind, threads, family, dim, batch = place
    flow = f"default {family}" if kind == "default" else f"{family}, equal layers"
    return f"{flow}, {dim}-d ×{batch}, {on(threads)}"


def line(race: Race) -> str:
    """Say on one line how a race went."""
    ms = {name: 1e3 * statistics.median(row.seconds) for name, row in race.rows.items()}
    times = "  ".join(f"{name} {value:.4g}" for name, value in ms.items())
    task = f"{words(Raced(*race[:5]))}, {TASKS[race.task]}"
    return f"{task:70} ×{race.ratio:<6.3g} {times} ms"


def collapsed(race: Race) -> bool:
    """Return whether the ratio is so low that something must have broken."""
    unrolled = (race.family, race.task) in UNROLLED
    return race.ratio < (LEAST_UNROLLED if unrolled else LEAST)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; return 1 when a quick run finds a ratio collapsed."""
    command = Command(
        RESULTS,
        "Time our flows beside zuko, nflows and normflows, and their training steps' "
        "memory: default flows and equal layers, on one thread and on all cores. ×2 "
        "means that the fastest of them takes twice as long as we do. All of it takes "
        "about half an hour. --only measures beside the peers only.",
        quick="small flows, seconds; exit 1 where a ratio has collapsed",
        only=FAMILIES,
    )
    args = command.parse(arguments)
    plan = QUICK if args.quick else FULL
    families = named(command, args.only, FAMILIES)
    report = measure(replace(plan, own=()) if args.only else plan, families)
    write(report, args.output)
    fallen = [race for race in races(report.contests) if collapsed(race)]
    for race in fallen if args.quick else []:
        print(f"collapsed: {line(race)}")
    return int(args.quick and bool(fallen))


if __name__ == "__main__":
    sys.exit(main())
