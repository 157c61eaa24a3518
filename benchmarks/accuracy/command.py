"""The distance from the truth at which flows end, ours beside other libraries'.

`python -m benchmarks.accuracy` fits each family of each library to each target, by the
same steps, batches, optimiser and rates, with as many parameters within 2 %, and writes
the gap to the exact density, mean log p - log q on held-out points, in nats, to
benchmarks/results/accuracy.json.
"""

from __future__ import annotations

import asyncio
import bisect
import functools
import itertools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from benchmarks.accuracy.fitting import LAYERS, Budget, Fit
from benchmarks.accuracy.kept import KEPT, drop
from benchmarks.accuracy.targets import targets
from benchmarks.command import FOLDER, Command, named, write
from benchmarks.libraries.families import LIBRARIES, WHOLE, offers
from implementations.core.nets import size
from scripts.cluster.place import ClusterError, JobLost, Workplace
from scripts.results import forms
from scripts.results.forms import Course

RESULTS = FOLDER / "accuracy.json"
WITHIN = 0.02
FULL, SEEDS = Budget((10, 25, 50, 100, 200, 350, 500), 256, 10_000), 5
QUICK = Budget((1, 2), 16, 50)
LEFT_OUT = ("Conditional Real NVP of normflows: its affine couplings take no context.",)


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


def report(
    budget: Budget, head: Mapping[str, Any], rows: Sequence[Course]
) -> forms.Accuracy:
    """Put the courses under the head of the machine that they ran on."""
    return forms.Accuracy(
        **head,
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
    command.add_argument(
        "--jobs", type=int, default=1, help="how many fits at a time on this machine"
    )
    command.add_argument(
        "--cluster",
        metavar="tcp://…",
        default=os.environ.get("CLUSTER"),
        help="Dask's scheduler, whose workers run the fits (default: CLUSTER)",
    )
    command.add_argument(
        "--seeds", type=int, default=SEEDS, help="default: %(default)s"
    )
    args = command.parse(arguments)
    families = named(command, args.only, WHOLE)
    budget, seeds = (QUICK, 1) if args.quick else (FULL, args.seeds)
    torch.set_num_threads(1)
    asked = [fit for seed in range(seeds) for fit in fits(seed, families)]
    place = Workplace(max(args.jobs, 1), args.cluster, processes=True)
    folder = None if args.quick else KEPT
    try:
        # Not where this module is only read, and distributed may be missing.
        from benchmarks.accuracy.together import measure

        head, rows = asyncio.run(measure(asked, budget, place, folder))
    except (ClusterError, JobLost) as error:
        print(error, file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"{error.name} is missing: `make test` installs it", file=sys.stderr)
        return 1
    except (asyncio.CancelledError, KeyboardInterrupt):
        told = "Interrupted: finished fits are kept, the same command goes on"
        print(told, file=sys.stderr)
        return 130
    write(report(budget, head, rows), args.output)
    if args.output and folder:
        drop(folder)
    return 0
