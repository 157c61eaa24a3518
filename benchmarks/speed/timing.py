"""Seconds of calls that take turns, so that a slow minute falls on all alike."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch

# Calls that take less than this are timed several at once.
LEAST_SECONDS = 0.02
# Of calls that take longer than this, the first, which warms up, counts.
LONG_SECONDS = 1.0

Key = TypeVar("Key", bound=Hashable)
Clock = Callable[[], float]


def processor() -> float:
    """Seconds of processor time, of all threads, which other processes cannot take.

    With one thread it is what a clock shows on a quiet machine.
    """
    return time.process_time()


def wall() -> float:
    """Seconds on a clock."""
    return time.perf_counter()


def waiting() -> float:
    """Seconds on a clock, once the GPU has done all that it was told."""
    torch.cuda.synchronize()
    return time.perf_counter()


def interleaved(
    runs: Mapping[Key, Callable[[], object]],
    repeats: int,
    clock: Clock = processor,
    long: float = LONG_SECONDS,
) -> dict[Key, tuple[float, ...]]:
    """Seconds of one call, for each run and repeat, after one call to warm up.

    Every round begins with another run. Where the first call takes longer than `long`,
    it counts.
    """
    times = by_clocks(runs, repeats, clock, long=long)
    return {key: seconds for key, (seconds,) in times.items()}


def by_clocks(
    runs: Mapping[Key, Callable[[], object]],
    repeats: int,
    *clocks: Clock,
    long: float = LONG_SECONDS,
) -> dict[Key, list[tuple[float, ...]]]:
    """As `interleaved`, of the same calls by each clock; the first one decides."""
    rows: dict[Key, list[list[float]]] = {key: [] for key in runs}
    calls: dict[Key, int] = {}
    for key, run in runs.items():
        first = _seconds(run, 1, clocks)
        if first[0] > long:
            rows[key].append(first)
            calls[key] = 1
        else:
            calls[key] = math.ceil(LEAST_SECONDS / _seconds(run, 1, clocks)[0])
    keys = list(runs)
    for repeat in range(repeats):
        turn = repeat % len(keys)
        with _no_collector():
            for key in keys[turn:] + keys[:turn]:
                if len(rows[key]) == repeat:
                    rows[key].append(_seconds(runs[key], calls[key], clocks))
    return {key: [*zip(*values, strict=True)] for key, values in rows.items()}


def rounded(seconds: Iterable[float]) -> tuple[float, ...]:
    """Four digits of each: more would be noise."""
    return tuple(float(f"{value:.4g}") for value in seconds)


def _seconds(
    run: Callable[[], object], calls: int, clocks: Sequence[Clock]
) -> list[float]:
    """Seconds of a call by each clock, the mean of so many."""
    starts = [clock() for clock in clocks]
    for _ in range(calls):
        run()
    return [
        (clock() - start) / calls for clock, start in zip(clocks, starts, strict=True)
    ]


@contextmanager
def _no_collector() -> Iterator[None]:
    """Collect garbage now, and not while something is timed."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
