"""Processor time of each test, with that of the processes which it starts."""

from __future__ import annotations

import os
from collections.abc import Generator

import psutil
import pytest

SECONDS = "processor seconds"
CHEAP = "expected to be cheap"
_MARKED = ("thorough", "sampled", "long")


class Meter:
    """Notes on each report how much processor time it stands for.

    What a process took counts once it has ended; a browser serves many tests, so it is
    asked while it runs.
    """

    def __init__(self) -> None:
        self.browser = 0.0
        self.before = self.spent()

    def spent(self) -> float:
        """Processor seconds of this process, and of those that it started."""
        spent = os.times()
        own = spent.user + spent.system
        return own + spent.children_user + spent.children_system + self.browser

    def lap(self) -> float:
        """Processor seconds since the last lap."""
        before, self.before = self.before, self.spent()
        return self.before - before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, None, None]:
        """Ask the browser; after the last test it has ended."""
        yield
        if not nextitem:
            self.browser = 0.0
        elif "browser" in getattr(item, "fixturenames", ()):
            self.browser = sum(map(_spent, psutil.Process().children(recursive=True)))

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


def _spent(process: psutil.Process) -> float:
    try:
        spent = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return spent.user + spent.system
