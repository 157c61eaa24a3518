"""The questions to every flow: `CHECKS`, in `GROUPS`, one by one with `examine`."""

from __future__ import annotations

import signal
from types import FrameType

from benchmarks.exactness.checks import at_home, exact, robust
from benchmarks.exactness.outcomes import Check, Outcome, raised
from benchmarks.exactness.subjects import Subject

# Seconds of processor time for one answer: an adaptive solver may never come to an end.
PATIENCE = 30
GROUPS: dict[str, tuple[Check, ...]] = {
    "Exact": exact.QUESTIONS,
    "Robust": robust.QUESTIONS,
    "At home in PyTorch": at_home.QUESTIONS,
}
CHECKS = tuple(check for group in GROUPS.values() for check in group)


def examine(check: Check, subject: Subject) -> Outcome:
    """Ask, for as long as an answer may take, and say what an exception means."""
    before = signal.signal(signal.SIGVTALRM, _out_of_time)
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
    try:
        return check.run(subject)
    except OutOfTime:
        return Outcome(f"over {PATIENCE} s", "stops")
    except Exception as problem:
        return raised(problem)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


class OutOfTime(BaseException):
    """An answer takes too long; no `except Exception` on the way may catch it."""


def _out_of_time(number: int, frame: FrameType | None) -> None:
    raise OutOfTime
