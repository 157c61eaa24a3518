"""The growth of time with the dimension and with the batch, beside other libraries.

`python -m benchmarks.scaling` writes benchmarks/results/scaling.json and prints the
exponents that were fitted: time ∝ D^e. All have equal layers, and take turns at each
size; on one thread, then on as many as torch takes by itself. What the exponents of our
sampling are to compare with are its multiply-adds, and those of D forward passes, which
an autoregressive flow would take if it were inverted one component a pass.
"""

from __future__ import annotations

import gc
import math
import statistics
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.command import FOLDER, Command, named, say, write
from benchmarks.libraries.families import PEERS, bare
from benchmarks.libraries.model import FlowModel
from benchmarks.machine import head
from benchmarks.plan import ALL_THREADS, TASKS, on
from benchmarks.speed.tasks import tasks
from benchmarks.speed.timing import interleaved, processor, rounded, wall
from scripts.results.forms import Task
from scripts.results.scaling import (
    Along,
    Cost,
    Curve,
    Growth,
    ScalingResults,
    curves,
)

RESULTS = FOLDER / "scaling.json"
FAMILIES = ("real_nvp", "maf", "nsf", "nsf_autoregressive")
# A curve ends where one call takes longer: the next size would take several times as
# much. Our sampling goes on, to be compared with its multiply-adds.
LONGEST = 0.4
KEPT = ("ours", "sample")
# A first call that takes longer counts; few repeats are enough at the size after it.
SLOW = 0.2


@dataclass(frozen=True)
class ScalingPlan:
    """Which sizes are measured along each axis, at how large a batch and dimension.

    `few` are the repeats of slow calls.
    """

    dims: Sequence[int]
    batch: int
    batches: Sequence[int]
    dim: int
    threads: Sequence[int]
    repeats: int
    few: int

    def places(self, along: Along) -> list[tuple[int, int]]:
        """Dimension and batch of each size along an axis, the smallest first."""
        if along == "dim":
            return [(dim, self.batch) for dim in self.dims]
        return [(self.dim, batch) for batch in self.batches]


FULL = ScalingPlan(
    dims=[2**k for k in range(3, 10)],
    batch=1024,
    batches=[4**k for k in range(9)],
    dim=16,
    threads=(1, ALL_THREADS),
    repeats=5,
    few=3,
)
QUICK = ScalingPlan((8, 16), 64, (1, 64), 8, threads=(1,), repeats=3, few=1)


def costs(plan: ScalingPlan, along: Along, families: Sequence[str]) -> Iterator[Cost]:
    """Time all tasks in all libraries at each size, until a call takes too long."""
    for threads in dict.fromkeys(plan.threads):
        torch.set_num_threads(threads)
        for family in families:
            latest: dict[tuple[Task, str], float] = {}
            for dim, batch in plan.places(along):
                say(f"{family}, {dim}-d ×{batch}, {on(threads)}")
                rows = [*race(family, threads, dim, batch, latest, plan)]
                yield from rows
                latest |= {
                    (row.task, row.library): statistics.median(row.seconds)
                    for row in rows
                }


def race(
    family: str,
    threads: int,
    dim: int,
    batch: int,
    latest: Mapping[tuple[Task, str], float],
    plan: ScalingPlan,
) -> Iterator[Cost]:
    """Time one size; `latest` are the seconds of each task and library before it."""
    models, x = bare(family, dim), torch.randn(batch, dim)
    for model in models.values():
        model.prepare(x)
    runs = {name: tasks(model, x) for name, model in models.items()}
    clock = processor if threads == 1 else wall
    for task in TASKS:
        for model in models.values():
            model.train(task == "training_step")
        before = {name: latest.get((task, name), 0.0) for name in models}
        turns = {
            name: runs[name][task]
            for name, seconds in before.items()
            if seconds <= LONGEST or (name, task) == KEPT
        }
        if not turns:
            continue
        slow = any(before[name] > SLOW for name in turns)
        repeats = plan.few if slow else plan.repeats
        for name, seconds in interleaved(turns, repeats, clock, SLOW).items():
            row = Cost(
                family=family,
                library=name,
                threads=threads,
                task=task,
                dim=dim,
                batch=batch,
                seconds=rounded(seconds),
            )
            yield counted(row, models[name]) if (name, task) == KEPT else row


def counted(row: Cost, model: FlowModel) -> Cost:
    """Put the multiply-adds of sampling one event, and of one density, beside it."""
    return row.model_copy(
        update={
            "multiply_adds": multiply_adds(partial(model.sample, 1)),
            "forward": multiply_adds(partial(model.log_prob, torch.zeros(1, row.dim))),
        }
    )


@torch.no_grad()
def multiply_adds(run: Callable[[], object]) -> int:
    """Count the multiply-adds of its matrix products."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() // 2


def exponent(x: Sequence[float], y: Sequence[float]) -> float:
    """Return e of the power law y ∝ x^e that fits best, on logarithmic scales."""
    fit = statistics.linear_regression(list(map(math.log, x)), list(map(math.log, y)))
    return round(fit.slope, 3)


def growth(rows: Sequence[Cost], along: Along) -> Iterator[Growth]:
    """Fit exponents along an axis, over the upper half of each curve's sizes."""
    for key, points in curves(rows).items():
        upper = points[(len(points) - 1) // 2 :]
        if len(upper) > 1:
            yield fitted(key, upper, along)


def fitted(key: Curve, upper: Sequence[Cost], along: Along) -> Growth:
    """Fit the exponents of these sizes of a curve."""
    sizes = [getattr(row, along) for row in upper]
    found = Growth(
        **key._asdict(),
        along=along,
        start=sizes[0],
        time=exponent(sizes, [statistics.median(row.seconds) for row in upper]),
    )
    products = [
        (row.batch * row.multiply_adds, row.batch * row.dim * row.forward)
        for row in upper
        if row.multiply_adds and row.forward
    ]
    if not products:
        return found
    done, passes = (exponent(sizes, each) for each in zip(*products, strict=True))
    return found.model_copy(update={"multiply_adds": done, "passes": passes})


def left_out(rows: Sequence[Cost], along: Along) -> Iterator[str]:
    """Say which curves end before the largest size, and what a call took there."""
    largest = max(getattr(row, along) for row in rows)
    for key, points in curves(rows).items():
        last = points[-1]
        if getattr(last, along) < largest:
            yield (
                f"{words(key)}: beyond {last.dim} dimensions, {last.batch:,} at once, "
                f"where a call takes {statistics.median(last.seconds):.2g} s."
            )


def measure(plan: ScalingPlan, families: Sequence[str]) -> ScalingResults:
    """Measure along both axes; tell how far it is on stderr."""
    torch.manual_seed(0)
    # nflows calls what torch is going to remove.
    warnings.filterwarnings("ignore", r"torch\.\w+ is deprecated")
    gc.freeze()  # What is imported need not be searched for garbage.
    along_dim = tuple(costs(plan, "dim", families))
    along_batch = tuple(costs(plan, "batch", families))
    torch.set_num_threads(ALL_THREADS)
    return ScalingResults(
        **head(*PEERS),
        repeats=plan.repeats,
        longest=LONGEST,
        growth=(*growth(along_dim, "dim"), *growth(along_batch, "batch")),
        along_dim=along_dim,
        along_batch=along_batch,
        left_out=(*left_out(along_dim, "dim"), *left_out(along_batch, "batch")),
    )


def words(curve: Curve) -> str:
    """Say what a curve shows."""
    task = TASKS[curve.task]
    return f"{curve.family}, {task}, {curve.library}, {on(curve.threads)}"


def line(row: Growth) -> str:
    """Say on one line how a curve grows."""
    time = f"{words(row.curve):56} from {row.start} on, ∝ {row.along}^{row.time:.2f}"
    if row.along == "batch" or row.multiply_adds is None:
        return time
    return (
        f"{time}, multiply-adds ∝ dim^{row.multiply_adds:.2f}, those of "
        f"dim passes ∝ dim^{row.passes:.2f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the exponents, write."""
    command = Command(
        RESULTS,
        f"Time flows of equal layers in all libraries, in {FULL.dims[0]} to "
        f"{FULL.dims[-1]} dimensions, and with {FULL.batches[0]} to "
        f"{FULL.batches[-1]:,} events at once, on one thread and on all cores.",
        quick="a few small sizes, one thread",
        only=FAMILIES,
    )
    args = command.parse(arguments)
    families = named(command, args.only, FAMILIES)
    report = measure(QUICK if args.quick else FULL, families)
    print("\n".join(map(line, report.growth)))
    write(report, args.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
