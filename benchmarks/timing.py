"""Processor time of calls that take turns, so that a slow minute falls on all alike."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

# Calls that take less than this are timed several at once.
LEAST_SECONDS = 0.02
# Of calls that take longer than this, the first, which warms up, counts.
LONG_SECONDS = 1.0

Key = TypeVar("Key", bound=Hashable)


def interleaved(
    runs: Mapping[Key, Callable[[], object]], repeats: int
) -> dict[Key, tuple[float, ...]]:
    """Seconds of one call, for each run and repeat, after one call to warm up.

    Processor time, which other processes cannot take; with one thread it is what a
    clock shows on a quiet machine. Every round begins with another run.
    """
    seconds: dict[Key, list[float]] = {key: [] for key in runs}
    calls: dict[Key, int] = {}
    for key, run in runs.items():
        first = _seconds(run, 1)
        if first > LONG_SECONDS:
            seconds[key].append(first)
            calls[key] = 1
        else:
            calls[key] = math.ceil(LEAST_SECONDS / _seconds(run, 1))
    keys = list(runs)
    for repeat in range(repeats):
        turn = repeat % len(keys)
        with _no_collector():
            for key in keys[turn:] + keys[:turn]:
                if len(seconds[key]) == repeat:
                    seconds[key].append(_seconds(runs[key], calls[key]))
    return {key: tuple(values) for key, values in seconds.items()}


def _seconds(run: Callable[[], object], calls: int) -> float:
    """Seconds of a call, the mean of so many."""
    start = time.process_time()
    for _ in range(calls):
        run()
    return (time.process_time() - start) / calls


@contextmanager
def _no_collector() -> Iterator[None]:
    """Collect garbage now, and not while something is timed."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
