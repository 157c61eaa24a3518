"""The contract on the device: tests/flows/test_contract*.py with DEVICE=cuda.

All cases, and every promise that is about numbers. Several processes share the card;
one that the card has failed is replaced, and what comes after it is asked all the same.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from typing import Any

import pytest

from benchmarks.gpu import words
from benchmarks.gpu.parts import Emit, Place

FILES = ("tests/flows/test_contract.py", "tests/flows/test_contract_tools.py")
# In the names of promises that a device cannot change, or that choose one themselves,
# or that start processes of their own.
ELSEWHERE = (
    *("compiles", "copies", "exports", "meta", "never_looks_at_values"),
    *("refuses", "two_processes"),
)
# One case, so that a run is short.
SMOKE = " and nice and gaussian"
PROCESSES = 4

_NODE = re.compile(r".+::test_(?P<promise>\w+)\[(?P<case>.+)\]")


def run(place: Place, emit: Emit) -> None:
    """Ask every case for every promise, and hand over each answer as it comes."""
    chosen = f"not ({' or '.join(ELSEWHERE)})" + SMOKE * place.smoke
    processes = 1 if place.smoke else min(PROCESSES, os.cpu_count() or 1)
    plugins = (
        *("no:terminal", "no:cacheprovider", "no:logging"),
        "benchmarks.gpu.workers",
    )
    status = pytest.main(
        [
            *(
                *FILES,
                "-k",
                chosen,
                "-n",
                str(processes),
                "-o",
                "filterwarnings=default",
            ),
            *(word for plugin in plugins for word in ("-p", plugin)),
        ],
        plugins=[Recorder(emit)],
    )
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"pytest ended with {pytest.ExitCode(status).name}")


class Recorder:
    """Hands over how many answers there are to be, and each answer."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self.answers: dict[bool, int] = {True: 0, False: 0}
        self.told = False

    def pytest_xdist_node_collection_finished(self, ids: Iterable[str]) -> None:
        """Hand over what will be asked, once: all processes collect the same."""
        if not self.told:
            self.emit(*({"promise": parts(node)[0]} for node in ids))
        self.told = True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hand over an answer, or a failure on the way to it."""
        if report.when != "call" and report.passed:
            return
        promise, case = parts(report.nodeid)
        said = "" if report.passed else message(report)
        self.emit({"promise": promise, "case": case, "said": said})
        if said:
            print(f"{promise}, {case}: {said}", file=sys.stderr, flush=True)
        self.answers[report.passed] += 1
        if sum(self.answers.values()) % 200 == 0:
            kept, broken = self.answers[True], self.answers[False]
            print(f"{kept} promises kept, {broken} broken", flush=True)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell what could not even be read."""
        if report.failed:
            print(report.longreprtext, file=sys.stderr, flush=True)

    def pytest_internalerror(self, excrepr: Any) -> None:
        """Tell what went wrong in pytest itself."""
        print(excrepr, file=sys.stderr, flush=True)


def parts(node: str) -> tuple[str, str]:
    """Split the name of a test into its promise and its case."""
    found = _NODE.fullmatch(node)
    return (found["promise"], found["case"]) if found else (node, "")


def message(report: pytest.TestReport) -> str:
    """Say in a line why a promise is broken."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return words.published(crash.message if crash else report.longreprtext)
