"""The distance from the truth at which flows end, ours beside other libraries'.

`python -m benchmarks.accuracy` fits each family of each library to each target, by the
same steps, batches, optimiser and rates, with as many parameters within 2 %, and writes
the gap to the exact density, mean log p - log q on held-out points, in nats, to
benchmarks/results/accuracy.json.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import math
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.accuracy.targets import Target, targets
from benchmarks.command import FOLDER, Command, named, say, write
from benchmarks.libraries.families import LIBRARIES, PEERS, WHOLE, offers
from benchmarks.libraries.model import FlowModel
from benchmarks.machine import head
from implementations.core.nets import size
from scripts.results import forms
from scripts.results.forms import Course

RESULTS = FOLDER / "accuracy.json"
LAYERS = {
    "real_nvp": 6,
    "maf": 4,
    "nsf": 3,
    "nsf_autoregressive": 3,
}
WITHIN = 0.02


@dataclass(frozen=True)
class Budget:
    """The budget of every fit: Adam with a falling rate (a cosine), fresh batches."""

    checkpoints: tuple[int, ...]
    batch: int
    held_out: int
    rate: float = 5e-3

    @property
    def steps(self) -> int:
        """The last checkpoint is the end."""
        return self.checkpoints[-1]


FULL, SEEDS = Budget((10, 25, 50, 100, 200, 350, 500), 256, 10_000), 5
QUICK = Budget((1, 2), 16, 50)
LEFT_OUT = ("Conditional Real NVP of normflows: its affine couplings take no context.",)


class Fit(NamedTuple):
    """One of the fits that are asked for."""

    target: str
    family: str
    library: str
    width: int
    seed: int


def matched_widths(
    family: str, dim: int, context: int, within: float = WITHIN
) -> dict[str, int]:
    """Choose widths for which all libraries have as many parameters.

    Ours is the largest, up to 64, for which the others can be that close.
    """
    libraries = [name for name in LIBRARIES if offers(family, name, context)]
    shape = (family, dim, context)
    for width in range(64, 8, -1):
        wanted = _count("ours", width, *shape)
        widths = {name: _nearest(name, wanted, *shape) for name in libraries}
        counts = {name: _count(name, w, *shape) for name, w in widths.items()}
        if max(counts.values()) <= (1 + within) * min(counts.values()):
            return widths
    raise ValueError(f"{family}, {dim}-d: no widths match within {within:.0%}")


def _nearest(library: str, wanted: int, family: str, dim: int, context: int) -> int:
    def count(width: int) -> int:
        return _count(library, width, family, dim, context)

    above = bisect.bisect_left(range(1, 129), wanted, key=count) + 1
    return min((above, above - 1), key=lambda width: abs(count(width) - wanted))


@functools.cache
def _count(library: str, width: int, family: str, dim: int, context: int) -> int:
    if width == 0:
        return 0
    return size(WHOLE[family][library](dim, LAYERS[family], width, context))


def fits(seed: int, families: Sequence[str]) -> Iterator[Fit]:
    """List what is fitted: libraries next to each other, so that they share noise."""
    for (name, target), family in itertools.product(targets().items(), families):
        context = target.density.context
        for library, width in matched_widths(family, target.dim, context).items():
            yield Fit(name, family, library, width, seed)


def run(fit: Fit, budget: Budget) -> Course:
    """Fit one flow; all of a seed see the same batches and the same held-out points."""
    torch.set_num_threads(1)
    target = targets()[fit.target]
    torch.manual_seed(10_000 + fit.seed)
    x, context = target.draw(budget.held_out)
    log_p = target.density.log_prob(x, context)
    torch.manual_seed(fit.seed)
    build = WHOLE[fit.family][fit.library]
    model = build(target.dim, LAYERS[fit.family], fit.width, target.density.context)
    torch.manual_seed(fit.seed)
    model.prepare(*target.draw(budget.batch))
    seconds, gaps = [], []
    for so_far in train(model, target, budget):
        seconds.append(round(so_far, 4))
        gaps.append(gap(model, log_p, x, context))
    return Course(
        target=fit.target,
        family=fit.family,
        library=fit.library,
        seed=fit.seed,
        parameters=size(model),
        seconds=tuple(seconds),
        gaps=tuple(gaps),
    )


def train(model: FlowModel, target: Target, budget: Budget) -> Iterator[float]:
    """Train, and yield the processor seconds that it took at each checkpoint."""
    optimiser = torch.optim.Adam(model.parameters(), budget.rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, budget.steps)
    model.train()
    seconds = 0.0
    for step in range(1, budget.steps + 1):
        x, context = target.draw(budget.batch)
        start = time.process_time()
        loss = -model.log_prob(x, context).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        seconds += time.process_time() - start
        if step in budget.checkpoints:
            yield seconds


@torch.no_grad()
def gap(
    model: FlowModel, log_p: Tensor, x: Tensor, context: Tensor | None
) -> float | None:
    """Mean log p - log q, in nats; None where it is not finite."""
    model.eval()
    value = (log_p - model.log_prob(x, context)).double().mean().item()
    model.train()
    return round(value, 5) if math.isfinite(value) else None


def courses(asked: Sequence[Fit], budget: Budget, jobs: int) -> Iterator[Course]:
    """Run all fits, `jobs` at a time."""
    one = functools.partial(run, budget=budget)
    if jobs == 1:
        yield from map(one, asked)
        return
    # A fork would inherit torch's threads in an undefined state.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawn) as pool:
        yield from pool.map(one, asked)


def measure(
    budget: Budget, seed: int, families: Sequence[str], jobs: int
) -> Iterator[Course]:
    """Run all fits of a seed; tell how far it is on stderr."""
    asked = list(fits(seed, families))
    for number, row in enumerate(courses(asked, budget, jobs), 1):
        end = "diverged" if row.gaps[-1] is None else f"{row.gaps[-1]:.3f} nats"
        place = f"[seed {seed}, {number}/{len(asked)}]"
        name = f"{row.target}: {row.family}, {row.library}"
        say(f"{place} {name}: {end}")
        yield row


def report(budget: Budget, rows: Sequence[Course]) -> forms.Accuracy:
    """Put the courses under their head."""
    return forms.Accuracy(
        **head(*PEERS),
        batch=budget.batch,
        rate=budget.rate,
        held_out=budget.held_out,
        checkpoints=budget.checkpoints,
        targets=tuple(
            forms.FittedTarget(
                name=name,
                dim=target.dim,
                context=target.density.context,
                entropy=round(target.entropy, 6),
            )
            for name, target in targets().items()
        ),
        courses=tuple(rows),
        left_out=LEFT_OUT,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the results."""
    command = Command(
        RESULTS,
        "Fit the same families of four libraries to eight densities of "
        "known entropy, with equal budgets, and measure how far from the truth they "
        "end. All of it takes most of an hour of processor time.",
        quick="two steps, one seed",
        only=WHOLE,
    )
    command.add_argument("--jobs", type=int, default=1, help="how many fits at a time")
    command.add_argument(
        "--seeds", type=int, default=SEEDS, help="default: %(default)s"
    )
    args = command.parse(arguments)
    families = named(command, args.only, WHOLE)
    budget, seeds = (QUICK, 1) if args.quick else (FULL, args.seeds)
    torch.set_num_threads(1)
    rows: list[Course] = []
    for seed in range(seeds):
        rows += measure(budget, seed, families, args.jobs)
        # An interrupted run keeps the seeds that are whole.
        write(report(budget, rows), args.output)
    return 0
