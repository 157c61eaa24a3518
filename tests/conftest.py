"""Budgets of the suite, printed after every run, and what may never be skipped."""

from __future__ import annotations

import gc
import os
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

# Small flows slow down 5 to 50 times when threads fight over two cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer

    from tests.suite.scheduling import InFiles

MINUTES = {
    "tests": 1,
    "base": 1,
    "catalogue": 1,
    "sources": 1,
    "add": 1,
    "links": 1,
    "readme": 1,
    "exports": 1,
    "outputs": 1,
    "papers": 4,
    "execute": 3,
    "scaffold": 1,
    "github": 1,
    "flows": 4,
    "benchmarks": 2,
    "support": 1,
    "site": 5,
    "whole": 1,
}
NEVER_SKIPPED = {"flows", "papers", "execute", "site"}
seconds: dict[str, float] = defaultdict(float)
skipped: list[str] = []


def _room(nodeid: str) -> str:
    """The folder of tests/, or of tests/scripts/, that a test is in."""
    parts = Path(nodeid.split("::")[0]).parent.parts
    return [*(part for part in parts if part != "scripts"), "tests"][:2][-1]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--paper=glow` keeps the tests of that paper alone."""
    parser.addoption("--paper", default="", metavar="ID", help="its tests alone")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> InFiles:
    """Let what shares something that takes long to make stay on one worker."""
    from tests.suite.scheduling import InFiles

    return InFiles(config, log)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what is not asked for, and long tests."""
    if paper := config.getoption("paper"):
        from tests.suite.selection import of_paper

        own = of_paper(paper, items)
        config.hook.pytest_deselected(items=[i for i in items if i not in own])
        items[:] = own
    if config.getoption("markexpr"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what stays: torch, and thousands of tests."""
    gc.collect()
    gc.freeze()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up where the time goes, and what was skipped."""
    seconds[_room(report.nodeid)] += report.duration
    if report.skipped and _room(report.nodeid) in NEVER_SKIPPED:
        skipped.append(_told(report))


def _told(report: pytest.TestReport) -> str:
    """Name a skipped test, or say what kept several of a contract from being asked."""
    why = report.longrepr[2] if isinstance(report.longrepr, tuple | list) else ""
    return why if why.startswith("not asked") else report.nodeid


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note a whole file that was skipped, as by `pytest.importorskip`."""
    if report.skipped and _room(report.nodeid) in NEVER_SKIPPED:
        skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A flow or browser test that was skipped has not passed."""
    if skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print minutes used beside minutes allowed, per folder of the whole suite."""
    budgets = {} if config.getoption("paper") else MINUTES
    if budgets:
        terminalreporter.section("time used, and its budget")
    for room, allowed in budgets.items():
        used = seconds[room] / 60
        over = "  OVER BUDGET" if used > allowed else ""
        terminalreporter.line(f"{room:10} {used:5.1f} of {allowed} min{over}")
    for told in dict.fromkeys(skipped):
        terminalreporter.line(f"skipped, which counts as failed: {told}", red=True)
