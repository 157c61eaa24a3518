"""Check, README and exports, stage by stage, beside PyYAML's C loader.

`python -m benchmarks.website.pipeline CATALOGUE REPEATS` prints JSON. It is a process
of its own so that its peak memory is the pipeline's: a process inherits its parent's
peak.
"""

from __future__ import annotations

import gc
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from scripts import readme
from scripts.base.project import read_project
from scripts.catalogue import load
from scripts.exports import EXPORTS

Seconds = dict[str, float]


def pipeline(source: Path) -> Seconds:
    """Go from the file to the texts of README and exports; seconds by stage."""
    seconds: Seconds = {}
    project = read_project()
    with tempfile.TemporaryDirectory() as none, _timed("check", seconds):
        catalogue = load(source, implementations=Path(none))
    with _timed("README.md", seconds):
        readme.render(catalogue, project)
    for name, export in EXPORTS.items():
        with _timed(name, seconds):
            export(catalogue, project)
    return seconds


def reference(source: Path) -> float:
    """Seconds that PyYAML's C loader takes to read the same file, checking nothing."""
    seconds: Seconds = {}
    with _timed("reference", seconds):
        yaml.load(source.read_bytes(), Loader=yaml.CSafeLoader)
    return seconds["reference"]


@contextmanager
def _timed(stage: str, seconds: Seconds) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start


@contextmanager
def _no_collector() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def measure(source: Path, repeats: int) -> dict[str, Any]:
    """Peak memory of one run in MB; then medians over interleaved runs, in seconds.

    `core` is the share of a core that the runs had: below 1, other processes were busy
    and the seconds are too long. `stages` and `total` have the garbage collector as a
    user has it; `total_bare` and `reference_bare` have it off, both alike, since it
    takes most of the reference's time.
    """
    pipeline(source)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    runs, total_bare, reference_bare = [], [], []
    start, start_busy = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        gc.collect()
        runs.append(pipeline(source))
        gc.collect()
        with _no_collector():
            total_bare.append(sum(pipeline(source).values()))
            reference_bare.append(reference(source))
    wall, busy = time.perf_counter() - start, time.process_time() - start_busy
    return {
        "peak": peak,
        "core": busy / wall,
        "stages": {key: statistics.median(run[key] for run in runs) for key in runs[0]},
        "total": statistics.median(sum(run.values()) for run in runs),
        "total_bare": statistics.median(total_bare),
        "reference_bare": statistics.median(reference_bare),
    }


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))
