"""Our flows beside zuko, nflows and normflows: time and memory.

`python -m benchmarks.flows` writes benchmarks/results/flows.json and prints ratios:
×2 means that we take half the time of the fastest peer. One process, one thread,
libraries in turns. `--quick` takes seconds, and fails where a ratio has collapsed.
"""

from __future__ import annotations

import gc
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from benchmarks.command import FOLDER, Command, named, say, write
from benchmarks.libraries.families import PEERS, bare
from benchmarks.libraries.model import FlowModel
from benchmarks.machine import head
from benchmarks.ours import OUR_FLOWS, UNMEASURED, OurFlow
from benchmarks.speed.memory import peak_bytes
from benchmarks.speed.tasks import Run, tasks
from benchmarks.speed.timing import Clock, interleaved, processor, rounded
from implementations.core.flow import Flow
from implementations.core.nets import size
from scripts.results import forms
from scripts.results.forms import LibraryTiming, Memory, Seconds, Task, Timing
from scripts.results.races import Race, races

RESULTS = FOLDER / "flows.json"


@dataclass(frozen=True)
class Plan:
    """The plan of a run: the widths of each family, batches, repeats, our flows."""

    dims: dict[str, tuple[int, ...]]
    batches: tuple[int, ...]
    repeats: int
    own: Sequence[OurFlow]


FULL = Plan(
    {
        "real_nvp": (2, 64),
        "maf": (6, 21, 64),
        "iaf": (64,),
        "nsf": (2, 6, 64),
        "nsf_autoregressive": (2, 6, 64),
    },
    batches=(512, 4096),
    repeats=7,
    own=OUR_FLOWS,
)
QUICK = Plan(
    {"real_nvp": (2,), "maf": (21,), "iaf": (21,), "nsf": (2,)},
    batches=(64,),
    repeats=3,
    own=[own for own in OUR_FLOWS if own.paper == "nsf"],
)
# Below this, against the fastest peer, a ratio has collapsed; less is forgiven where
# components come one after another, since we are several times as fast there.
LEAST, LEAST_UNROLLED = 0.4, 0.8
UNROLLED = {("maf", "sample"), ("iaf", "log_density")}

TASKS: dict[Task, str] = {
    "log_density": "log-density",
    "sample": "sampling",
    "training_step": "training step",
}
LEFT_OUT = (
    "A training step of IAF: it is trained on its own samples, not on given points.",
    "Sampling autoregressive NSF in 64 dimensions, 4,096 at once: it would take the "
    "peers a minute each time.",
)


def planned_tasks(family: str, dim: int, batch: int) -> list[Task]:
    """All but those that are left out."""
    tasks = list(TASKS)
    if family == "iaf":
        tasks.remove("training_step")
    if family == "nsf_autoregressive" and dim * batch > 100_000:
        tasks.remove("sample")
    return tasks


def library_timings(
    family: str,
    libraries: Mapping[str, FlowModel],
    x: Tensor,
    repeats: int,
    clock: Clock = processor,
) -> Iterator[LibraryTiming]:
    """Time every task of the flow in all libraries, which take turns."""
    batch, dim = x.shape
    runs = {name: tasks(model, x) for name, model in libraries.items()}
    for task in planned_tasks(family, dim, batch):
        for model in libraries.values():
            model.train(task == "training_step")
        turns = {name: run[task] for name, run in runs.items()}
        for name, seconds in interleaved(turns, repeats, clock).items():
            yield LibraryTiming(
                family=family,
                dim=dim,
                batch=batch,
                task=task,
                library=name,
                parameters=size(libraries[name]),
                seconds=rounded(seconds),
            )


def memory(family: str, dim: int, batch: int) -> Iterator[Memory]:
    """Measure the peak of a training step in all libraries."""
    x = torch.randn(batch, dim)
    for name, model in bare(family, dim).items():
        run = tasks(model, x)["training_step"]
        run()  # What Adam allocates in its first step stays; gradients do not.
        model.zero_grad()
        yield Memory(
            family=family, dim=dim, batch=batch, library=name, bytes=peak_bytes(run)
        )


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
    torch.set_num_threads(1)
    torch.manual_seed(0)
    gc.freeze()  # What is imported need not be searched for garbage.
    places = [
        (family, dim, batch)
        for family in families
        for dim in plan.dims[family]
        for batch in plan.batches
    ]
    contests: list[LibraryTiming] = []
    peaks: list[Memory] = []
    for number, (family, dim, batch) in enumerate(places, 1):
        say(f"[{number}/{len(places)}] {family}, {dim} dimensions, batch {batch}")
        x = torch.randn(batch, dim)
        rows = list(library_timings(family, bare(family, dim), x, plan.repeats))
        for race in races(rows):
            print(line(race), flush=True)
        contests += rows
        if "training_step" in planned_tasks(family, dim, batch):
            peaks += memory(family, dim, batch)
    say(f"our {len(plan.own)} flows, on their own")
    return forms.Flows(
        **head(*PEERS),
        repeats=plan.repeats,
        flows=tuple(timings(plan.own, plan.batches[0], plan.repeats)),
        contests=tuple(contests),
        memory=tuple(peaks),
        left_out=(*LEFT_OUT, *UNMEASURED),
    )


def line(race: Race) -> str:
    """Say on one line how a race went."""
    ms = {name: 1e3 * statistics.median(row.seconds) for name, row in race.rows.items()}
    times = "  ".join(f"{name} {value:.4g}" for name, value in ms.items())
    task = f"{race.family} {race.dim}-d ×{race.batch} {TASKS[race.task]}"
    return f"{task:45} ×{race.ratio:<6.3g} {times} ms"


def collapsed(race: Race) -> bool:
    """Return whether the ratio is so low that something must have broken."""
    unrolled = (race.family, race.task) in UNROLLED
    return race.ratio < (LEAST_UNROLLED if unrolled else LEAST)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; return 1 when a quick run finds a ratio collapsed."""
    command = Command(
        RESULTS,
        "Time our flows beside zuko, nflows and normflows, and their training steps' "
        "memory. ×2 means that the fastest of them takes twice as long as we do. All "
        "of it takes up to ten minutes. --only measures beside the peers only.",
        quick="small flows, seconds; exit 1 where a ratio has collapsed",
        only=FULL.dims,
    )
    args = command.parse(arguments)
    plan = QUICK if args.quick else FULL
    families = named(command, args.only, plan.dims)
    report = measure(replace(plan, own=()) if args.only else plan, families)
    write(report, args.output)
    fallen = [race for race in races(report.contests) if collapsed(race)]
    for race in fallen if args.quick else []:
        print(f"collapsed: {line(race)}")
    return int(args.quick and bool(fallen))


if __name__ == "__main__":
    sys.exit(main())
