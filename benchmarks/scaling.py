"""The growth of the time of sampling with the dimension and with the batch.

`python -m benchmarks.scaling` writes benchmarks/results/scaling.json and prints the
exponents that were fitted: time ∝ D^e. What is to compare with are the multiply-adds
of sampling itself, and of D forward passes, which an autoregressive flow would take
if it were inverted one component a pass.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.command import FOLDER, Command, write
from benchmarks.machine import head
from benchmarks.speed.timing import interleaved, rounded
from implementations.core.bijection import Bijection, Compose
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import mlp
from implementations.made import Autoregressive
from implementations.maf import maf
from implementations.nice import Coupling
from implementations.nsf import Spline
from implementations.real_nvp import real_nvp_vector
from scripts.results import forms
from scripts.results.forms import Draw, Growth

RESULTS = FOLDER / "scaling.json"
HIDDEN = (128, 128)


def _splines(dim: int, layer: Callable[..., Bijection]) -> Flow:
    """Stack five spline layers; without linear ones, whose solving is no product."""
    layers = (layer(dim, Spline(8)) for _ in range(5))
    return Flow(StandardNormal((dim,)), Compose(*layers))


FAMILIES: Mapping[str, Callable[[int], Flow]] = {
    "maf": partial(maf, hidden=HIDDEN),
    "nsf_autoregressive": partial(
        _splines, layer=partial(Autoregressive, hidden=HIDDEN)
    ),
    "real_nvp": partial(real_nvp_vector, hidden=HIDDEN),
    "nsf": partial(
        _splines, layer=partial(Coupling, conditioner=partial(mlp, hidden=HIDDEN))
    ),
}


@dataclass(frozen=True)
class ScalingPlan:
    """Which sizes are measured along each axis, at how large a batch and dimension."""

    dims: Sequence[int]
    batch: int
    batches: Sequence[int]
    dim: int
    repeats: int


FULL = ScalingPlan([2**k for k in range(3, 10)], 1024, [4**k for k in range(9)], 16, 5)
QUICK = ScalingPlan((8, 16), 64, (1, 64), 8, 3)


def draws(places: Sequence[tuple[int, int]], repeats: int) -> Iterator[Draw]:
    """Time sampling for each family and (dimension, batch), which take turns."""
    cells = [(family, *place) for place in places for family in FAMILIES]
    flows = {cell: FAMILIES[cell[0]](cell[1]).eval() for cell in cells}
    runs = {cell: partial(flow.sample, cell[2]) for cell, flow in flows.items()}
    times = interleaved(runs, repeats)
    for (family, dim, batch), seconds in times.items():
        flow = flows[family, dim, batch]
        yield Draw(
            family=family,
            dim=dim,
            batch=batch,
            seconds=rounded(seconds),
            multiply_adds=multiply_adds(partial(flow.sample, 1)),
            forward=multiply_adds(partial(flow.log_prob, torch.zeros(1, dim))),
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


def growth(rows: Sequence[Draw]) -> Iterator[Growth]:
    """Fit exponents along the axis on which the rows differ, over its upper half."""
    along = "dim" if len({row.dim for row in rows}) > 1 else "batch"
    sizes = sorted({getattr(row, along) for row in rows})
    start = sizes[(len(sizes) - 1) // 2]
    for family in FAMILIES:
        own = [
            row for row in rows if row.family == family and getattr(row, along) >= start
        ]
        fit = partial(exponent, [getattr(row, along) for row in own])
        yield Growth(
            family=family,
            along=along,
            start=start,
            time=fit([statistics.median(row.seconds) for row in own]),
            multiply_adds=fit([row.batch * row.multiply_adds for row in own]),
            passes=fit([row.batch * row.dim * row.forward for row in own]),
        )


def measure(plan: ScalingPlan) -> forms.ScalingResults:
    """Measure along both axes."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    along_dim = tuple(draws([(dim, plan.batch) for dim in plan.dims], plan.repeats))
    along_batch = tuple(draws([(plan.dim, n) for n in plan.batches], plan.repeats))
    return forms.ScalingResults(
        **head(),
        repeats=plan.repeats,
        growth=(*growth(along_dim), *growth(along_batch)),
        along_dim=along_dim,
        along_batch=along_batch,
    )


def line(row: Growth) -> str:
    """Say on one line how a flow grows."""
    time = f"{row.family:20} from {row.start} on, time ∝ {row.along}^{row.time:.2f}"
    if row.along == "batch":
        return time
    return (
        f"{time}, multiply-adds ∝ dim^{row.multiply_adds:.2f}, those of "
        f"dim passes ∝ dim^{row.passes:.2f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the exponents, write."""
    command = Command(
        RESULTS,
        f"Time our sampling in {FULL.dims[0]} to {FULL.dims[-1]} "
        f"dimensions, and of {FULL.batches[0]} to {FULL.batches[-1]} events at once.",
        quick="a few small sizes",
    )
    args = command.parse(arguments)
    report = measure(QUICK if args.quick else FULL)
    print("\n".join(map(line, report.growth)))
    write(report, args.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
