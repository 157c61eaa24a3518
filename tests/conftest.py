"""Which tests are run, what is said of them, and what may never be skipped."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

# Small flows slow down 5 to 50 times when threads fight over two cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from tests.suite.ledger import Ledger
from tests.suite.processor import SECONDS, Meter
from tests.suite.rooms import NEVER_SKIPPED, room_of
from tests.suite.selection import PARTS, of_paper, of_part

if TYPE_CHECKING:
    from xdist.remote import Producer

    from tests.suite.scheduling import InFiles

skipped: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--paper=glow` keeps that paper's tests, `--part=quick` those of `make test`."""
    parser.addoption("--paper", default="", metavar="ID", help="its tests alone")
    parser.addoption("--part", choices=PARTS, help="its tests alone, with budgets")


def pytest_configure(config: pytest.Config) -> None:
    """Keep accounts where a part of the suite is run: times here, or in each worker."""
    if part := config.getoption("part"):
        config.pluginmanager.register(Meter(), "meter")
        if not hasattr(config, "workerinput"):
            config.pluginmanager.register(Ledger(config, part), "ledger")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> InFiles:
    """Let what shares something that takes long to make stay on one worker."""
    from tests.suite.scheduling import InFiles

    return InFiles(config, log)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what is not asked for, and long tests."""
    kept = items
    if paper := config.getoption("paper"):
        kept = of_paper(paper, kept)
    if not config.getoption("markexpr"):
        kept = [item for item in kept if not item.get_closest_marker("long")]
    kept = of_part(config.getoption("part") or "all", kept)
    left = {id(item) for item in kept}
    config.hook.pytest_deselected(items=[i for i in items if id(i) not in left])
    items[:] = kept


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note what collecting took; let the garbage collector pass over what stays."""
    gc.collect()
    gc.freeze()
    plugins = session.config.pluginmanager
    if isinstance(meter := plugins.get_plugin("meter"), Meter):
        seconds = meter.lap()
        if isinstance(ledger := plugins.get_plugin("ledger"), Ledger):
            ledger.collected(seconds)
            ledger.expect([item.nodeid for item in session.items])
        else:
            getattr(session.config, "workeroutput")[SECONDS] = seconds  # noqa: B009


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what was skipped."""
    if report.skipped and room_of(report.nodeid) in NEVER_SKIPPED:
        skipped.append(_told(report))


def _told(report: pytest.TestReport) -> str:
    """Name a skipped test, or say what kept several of a contract from being asked."""
    why = report.longrepr[2] if isinstance(report.longrepr, tuple | list) else ""
    return why if why.startswith("not asked") else report.nodeid


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note a whole file that was skipped, as by `pytest.importorskip`."""
    if report.skipped and room_of(report.nodeid) in NEVER_SKIPPED:
        skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A flow or browser test that was skipped has not passed."""
    if skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was skipped, and should not have been."""
    for told in dict.fromkeys(skipped):
        terminalreporter.line(f"skipped, which counts as failed: {told}", red=True)
