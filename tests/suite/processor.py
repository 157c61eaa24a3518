"""Processor time of each test, with that of the processes which it starts."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

SECONDS = "processor seconds"
CHEAP = "expected to be cheap"
_MARKED = ("thorough", "sampled", "long")


class Meter:
    """Notes on each report how much processor time it stands for.

    What a process took counts once it has ended: a browser's, with its last test; that
    of the copies of tests/support/copies.py, with none.
    """

    def __init__(self) -> None:
        self.before = 0.0

    def lap(self) -> float:
        """Processor seconds since the last lap, those of ended processes included."""
        before, spent = self.before, os.times()
        own, theirs = spent.user + spent.system, spent.children_user
        self.before = own + theirs + spent.children_system
        return self.before - before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note the time, and whether nothing says that the test is expensive."""
        report = yield
        report.user_properties.append((SECONDS, self.lap()))
        if not any(map(item.get_closest_marker, _MARKED)):
            report.user_properties.append((CHEAP, True))
        return report
