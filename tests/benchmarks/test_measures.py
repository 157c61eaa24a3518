"""Timing and weighing: turns, repeats, bytes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from benchmarks.speed import timing
from benchmarks.speed.memory import peak_bytes
from benchmarks.speed.timing import interleaved


class Clock:
    """A clock that moves only when something is done, and a record of what was."""

    def __init__(self) -> None:
        self.now, self.done = 0.0, list[str]()

    def doing(self, name: str, seconds: Callable[[int], float]) -> Callable[[], None]:
        def run() -> None:
            self.done.append(name)
            self.now += seconds(self.done.count(name))

        return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timing.time, "process_time", lambda: clock.now)
    return clock


def test_all_take_turns_and_each_begins_a_round(clock: Clock) -> None:
    runs = {name: clock.doing(name, lambda _: 0.5) for name in "abc"}
    assert interleaved(runs, 3) == dict.fromkeys("abc", (0.5, 0.5, 0.5))
    # Two to warm up and to see how long a call takes.
    assert "".join(clock.done) == "aabbcc" + "abc" + "bca" + "cab"


def test_what_warms_up_is_not_counted(clock: Clock) -> None:
    slow_at_first = clock.doing("a", lambda n: 0.9 if n == 1 else 0.1)
    assert interleaved({"a": slow_at_first}, 2)["a"] == pytest.approx((0.1, 0.1))


def test_short_calls_are_timed_several_at_once(clock: Clock) -> None:
    runs = {"a": clock.doing("a", lambda _: 0.006)}
    assert interleaved(runs, 1)["a"] == pytest.approx((0.006,))
    assert len(clock.done) == 2 + 4  # 4 × 6 ms are the first over 20


def test_the_first_of_long_calls_counts(clock: Clock) -> None:
    runs = {
        "long": clock.doing("long", lambda n: float(n + 1)),
        "short": clock.doing("short", lambda _: 0.5),
    }
    assert interleaved(runs, 3) == {"long": (2, 3, 4), "short": (0.5, 0.5, 0.5)}
    assert clock.done.count("long") == 3


def test_the_peak_counts_what_is_alive_at_once() -> None:
    def one_after_another() -> None:
        first = torch.empty(1_000_000)
        del first
        torch.empty(500_000)

    def together() -> None:
        first = torch.empty(1_000_000)
        second = torch.empty(500_000)
        del first, second

    assert peak_bytes(one_after_another) == 4_000_000
    assert peak_bytes(together) == 6_000_000
