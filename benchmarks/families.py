"""Seconds to evaluate and to sample one flow of each family, on one thread.

`python -m benchmarks.families` writes benchmarks/results/families.json, which the
review's notebook shows. Flows are untrained: what they compute does not depend on
their weights, as iterations and steps are fixed beforehand.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch

from benchmarks.command import FOLDER, Command
from benchmarks.machine import head
from implementations.flows_review import flows_review
from scripts.base.files import write_atomic

RESULTS = FOLDER / "families.json"
POINTS, REPEATS = 1000, 7


def processor_ms(run: Callable[[], object]) -> float:
    """Milliseconds of processor time, which other processes cannot take."""
    gc.collect()
    start = time.process_time()
    run()
    return 1e3 * (time.process_time() - start)


def measure(points: int, repeats: int) -> dict[str, dict[str, float]]:
    """Medians of interleaved repeats, after one run to warm up."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.randn(points, 2)
    runs = {
        (name, way): run
        for name, flow in flows_review().items()
        for way, run in {
            "evaluate": partial(flow.eval().log_prob, x),
            "sample": partial(flow.sample, points),
        }.items()
    }
    ms: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
    with torch.no_grad():
        for repeat in range(repeats + 1):
            for key, run in runs.items():
                value = processor_ms(run)
                if repeat:
                    ms[key].append(value)
    medians: dict[str, dict[str, float]] = {}
    for (name, way), values in ms.items():
        medians.setdefault(name, {})[way] = round(statistics.median(values), 3)
    return medians


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the results."""
    command = Command(RESULTS, f"Time {POINTS} points of one flow of each family.")
    args = command.parse(arguments)
    ms = measure(POINTS, REPEATS)
    report = {**head(), "points": POINTS, "repeats": REPEATS, "ms": ms}
    write_atomic(args.output, json.dumps(report, indent=2) + "\n")
    print(*(f"{name:24} {times}" for name, times in ms.items()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
