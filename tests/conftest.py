"""Budgets of the suite, printed after every run, and what may never be skipped."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

# Small flows slow down 5 to 50 times when threads fight over two cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

MINUTES = {
    "tests": 1,
    "catalogue": 2,
    "scaffold": 1,
    "github": 1,
    "links": 1,
    "flows": 4,
    "papers": 4,
    "notebooks": 4,
    "benchmarks": 1,
    "site": 5,
    "whole": 1,
}
NEVER_SKIPPED = {"flows", "papers", "notebooks", "site"}
seconds: dict[str, float] = defaultdict(float)
skipped: list[str] = []


def _room(nodeid: str) -> str:
    return Path(nodeid.split("::")[0]).parent.name


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Keep the site on one worker (it is built once); leave long tests out."""
    for item in items:
        if _room(item.nodeid) == "site":
            item.add_marker(pytest.mark.xdist_group("site"))
    if config.getoption("markexpr"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up where the time goes, and what was skipped."""
    seconds[_room(report.nodeid)] += report.duration
    if report.skipped and _room(report.nodeid) in NEVER_SKIPPED:
        skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A flow or browser test that was skipped has not passed."""
    if skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print minutes used beside minutes allowed, per folder."""
    terminalreporter.section("time used, and its budget")
    for room, allowed in MINUTES.items():
        used = seconds[room] / 60
        over = "  OVER BUDGET" if used > allowed else ""
        terminalreporter.line(f"{room:10} {used:5.1f} of {allowed} min{over}")
    for nodeid in skipped:
        terminalreporter.line(f"skipped, which counts as failed: {nodeid}", red=True)
