"""The printed account of a run: how far the rooms are, and the time of each."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest

from tests.suite.processor import CHEAP, SECONDS
from tests.suite.rooms import BUDGETS, room_of

PATIENCE = 15  # seconds between two lines
TOLD, TOO_LONG = 2.0, 6.0  # processor seconds of one test that says not that it is long


class Ledger:
    """Counts tests and processor time by room, and prints both."""

    def __init__(self, config: pytest.Config, part: str) -> None:
        self.config, self.part = config, part
        self.all, self.done, self.shown = (Counter[str]() for _ in range(3))
        self.seconds = defaultdict[str, float](float)
        self.long: dict[str, float] = {}
        self.began = self.said = time.monotonic()

    @property
    def out(self) -> pytest.TerminalReporter:
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        assert isinstance(reporter, pytest.TerminalReporter)
        return reporter

    def expect(self, nodeids: Sequence[str]) -> None:
        """Note which tests there are to run."""
        self.all = Counter(map(room_of, nodeids))
        self.began = self.said = time.monotonic()
        self._say(f"{len(nodeids)} tests")

    def collected(self, seconds: float) -> None:
        """Note what it took a worker to find its tests."""
        self.seconds["collecting"] += seconds

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Note which tests there are; all workers find the same."""
        if not self.all:
            self.expect(ids)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Hear of a worker what its collection took."""
        output = getattr(node, "workeroutput", {})
        self.collected(output.get(SECONDS, 0.0))

    def pytest_report_teststatus(
        self, report: pytest.TestReport | pytest.CollectReport
    ) -> tuple[str, str, str] | None:
        """Count a test that passed, in place of a dot for each of thousands."""
        if report.passed:
            return ("passed" if report.when == "call" else "", "", "PASSED")
        return None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a report to its room's; now and then, say how far the rooms are."""
        room, told = room_of(report.nodeid), dict(report.user_properties)
        seconds = told.get(SECONDS, 0.0)
        assert isinstance(seconds, float)
        self.seconds[room] += seconds
        if report.when == "call" and CHEAP in told and seconds > TOLD:
            self.long[report.nodeid] = seconds
        if report.failed:
            self._say(f"FAILED {report.nodeid}")
        if report.when != "teardown":
            return
        self.done[room] += 1
        if self.done[room] == self.all[room]:
            self._say(f"{room}: {self.all[room]} tests, {self.seconds[room]:.0f} s")
        elif time.monotonic() > self.said + PATIENCE:
            self._say(self.progress())

    def progress(self) -> str:
        """All tests that have ended, and the rooms where some did since last said."""
        moved = [
            f"{room} {done} of {self.all[room]}"
            for room, done in self.done.items()
            if self.shown[room] < done < self.all[room]
        ]
        whole = f"{self.done.total()} of {self.all.total()}"
        return f"{whole} tests: {', '.join(moved)}"

    def _say(self, line: str) -> None:
        self.shown = self.done.copy()
        self.said = time.monotonic()
        minutes, seconds = divmod(round(self.said - self.began), 60)
        self.out.write_line(f"{minutes:2}:{seconds:02}  {line}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A test that takes too long, and does not say so, has not passed."""
        slowest = max(self.long.values(), default=0.0)
        if slowest > self.too_long and not session.exitstatus:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self) -> None:
        """Print the processor time of each room beside its budget."""
        self.out.section("processor time, and its budget")
        for line in self.accounts():
            self.out.write_line(line, red="OVER" in line)
        for nodeid, seconds in sorted(self.long.items(), key=lambda pair: pair[1]):
            why = "mark it thorough or sampled, or let it do less"
            self.out.write_line(
                f"{seconds:4.1f} s: {nodeid} ({why})", red=seconds > self.too_long
            )
        if self.long:
            self.out.write_line(f"More than {self.too_long:.1f} s fail the run.")

    @property
    def allowed(self) -> dict[str, int]:
        """The budget of each room, in seconds."""
        share = {"quick": slice(1), "rest": slice(1, 2), "all": slice(2)}[self.part]
        return {room: sum(seconds[share]) for room, seconds in BUDGETS.items()}

    @property
    def spent(self) -> float:
        """The processor seconds of all rooms."""
        return sum(self.seconds.values())

    @property
    def too_long(self) -> float:
        """Seconds that a test may take; on a slow machine, where all does, more."""
        return TOO_LONG * max(1.0, self.spent / sum(self.allowed.values()))

    def accounts(self) -> list[str]:
        """A line for each room that ran, and one for all."""
        lines, allowed = [], self.allowed
        for room, most in allowed.items():
            if used := self.seconds[room]:
                over = "  OVER BUDGET" if used > most else ""
                lines.append(f"{room:10} {used:6.1f} of {most:4} s{over}")
        most = sum(allowed.values())
        return [*lines, f"{'together':10} {self.spent:6.1f} of {most:4} s"]
