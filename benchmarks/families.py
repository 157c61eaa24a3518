"""Seconds to evaluate and to sample one flow of each family, on one thread.

`python -m benchmarks.families` writes benchmarks/results/families.json, which the
review's notebook shows. Flows are untrained: what they compute does not depend on
their weights, as iterations and steps are fixed beforehand.
"""

from __future__ import annotations

import datetime
import gc
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from implementations.flows_review import flows_review
from scripts.base.files import write_atomic

OUTPUT = Path(__file__).parent / "results" / "families.json"
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


def main() -> None:
    """Measure, and write the results."""
    report = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "threads": 1,
        "points": POINTS,
        "repeats": REPEATS,
        "ms": measure(POINTS, REPEATS),
    }
    write_atomic(OUTPUT, json.dumps(report, indent=2) + "\n")
    print(*(f"{name:24} {ms}" for name, ms in report["ms"].items()), sep="\n")


if __name__ == "__main__":
    main()
