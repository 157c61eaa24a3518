"""`python -m benchmarks.compiled`: faults, wrong results, and what the page shows."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks.compiled import attempts, command
from benchmarks.compiled.apart import apart
from benchmarks.compiled.attempts import attempt
from benchmarks.compiled.command import DEFAULT, FULL, QUICK, Trial, compilations
from benchmarks.libraries.ours import Ours
from benchmarks.ours import OUR_FLOWS, WAITING
from benchmarks.plan import FAMILIES
from implementations.maf import maf
from scripts.base.project import ROOT, read_project
from scripts.results.files import read, write
from scripts.results.forms import Compilation, CompiledFlows, Machine
from scripts.site import pages
from scripts.site.edition import Edition
from scripts.site.measured.exactness import examine
from scripts.site.measured.speed import compare
from tests.frozen import frozen_catalogue

RESULTS = ROOT / "benchmarks" / "results"
PLAN = replace(QUICK, repeats=2)
Compile = Callable[[Callable[[Tensor], Tensor]], Callable[[Tensor], Tensor]]


def rows(compile: Compile, monkeypatch: pytest.MonkeyPatch) -> list[Compilation]:
    """Of both tasks of a small MAF, which has running statistics."""
    monkeypatch.setattr(torch, "compile", compile)
    return compilations(small(), PLAN, {}, lambda running: None)


def small() -> Trial:
    models = {"ours": Ours(maf(2, 2, (4, 4)))}
    return Trial(None, "maf", models, torch.randn(16, 2), command.ASKED)


def test_what_computes_the_same_has_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in training, where a call moves the running statistics."""
    training, density = rows(lambda call: call, monkeypatch)
    assert (training.task, density.task) == ("training_step", "log_density")
    for row in (training, density):
        assert (row.fault, row.difference, row.breaks) == ("", 0, 0)
        assert row.compiled_seconds and row.compiled_processor and row.first
        assert len(row.seconds) == len(row.compiled_seconds) == PLAN.repeats


@pytest.mark.parametrize("by", [0.1, float("nan")])
def test_what_computes_something_else_is_wrong(
    by: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for row in rows(lambda call: lambda x: call(x) * (1 + by), monkeypatch):
        assert row.fault.startswith("wrong: log p differs by ")
        assert row.compiled_seconds
        assert (row.difference is None) == (by != by)


def test_an_estimate_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """It differs from itself, and another order of draws is no fault."""
    noisy = Ours(maf(2, 1, (4, 4)))
    exact = noisy.log_prob
    noisy.log_prob = lambda x: exact(x) + torch.randn(())  # type: ignore[method-assign]
    monkeypatch.setattr(torch, "compile", lambda call: call)
    trial = Trial(None, "noisy", {"ours": noisy}, torch.randn(4, 2), ("log_density",))
    (row,) = compilations(trial, PLAN, {}, lambda running: None)
    assert (row.fault, row.difference) == ("", None)


def test_what_cannot_be_compiled_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(x: Tensor) -> Tensor:
        raise RuntimeError("no kernel for /home/someone/model.py\nand more")

    for row in rows(lambda call: fails, monkeypatch):
        assert row.fault == "RuntimeError: no kernel for …"
        assert row.seconds and not row.compiled_seconds and not row.compiled_processor
        assert row.first is row.breaks is row.difference is None
        assert command.line(row).endswith(" ms, RuntimeError: no kernel for …")


def test_what_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though someone in between forgives every error."""

    def slow(x: Tensor) -> Tensor:
        for _ in range(100):
            with suppress(Exception):
                time.sleep(0.1)
        return x

    monkeypatch.setattr(attempts, "LIMIT", 0.05)
    monkeypatch.setattr(torch, "compile", lambda call: slow)
    start = time.perf_counter()
    tried = attempt(Ours(maf(2, 1, (4, 4))), torch.randn(4, 2), "log_density")
    assert tried.fault == "not compiled within 0.05 seconds"
    assert time.perf_counter() - start < 5


def test_what_crashes_is_a_row_and_the_rest_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def crashes(x: Tensor) -> Tensor:
        faulthandler.disable()  # it would print what is meant to happen
        os.kill(os.getpid(), signal.SIGSEGV)
        return x

    monkeypatch.setattr(torch, "compile", lambda call: crashes)
    training, density = apart(partial(compilations, small(), PLAN))
    assert training.fault == density.fault == "its compiled code crashed (SIGSEGV)"
    assert training.seconds and not training.compiled_seconds
    assert capsys.readouterr().err.count("crashed (SIGSEGV); once more") == 2


def test_a_process_that_ends_otherwise_is_an_error() -> None:
    def ends(*_: object) -> list[Compilation]:
        os._exit(3)

    with pytest.raises(RuntimeError, match="ended with status 3"):
        apart(ends)


def test_every_flow_of_ours_is_planned_once() -> None:
    others = [own.name for own in FULL.own]
    assert sorted([*others, *DEFAULT]) == sorted(own.name for own in OUR_FLOWS)
    assert [place.family for place in FULL.places(FAMILIES)] == list(FAMILIES)
    assert FULL.repeats >= 7


# Measured since, but not compiled: the next run of `benchmarks.compiled` has them too.
LATER = {
    "APT's flow",
    "BNAF",
    "CAREFL",
    "FFJORD",
    "Gaussianization flow",
    "Graphical flow",
    "NAF",
    "Neural ODE",
    "OT-Flow",
    "SOS",
    "Sylvester",
    "UMNN",
}


def test_results_hold_what_is_planned() -> None:
    report = read(CompiledFlows, command.RESULTS)
    flows = {row.flow for row in report.rows}
    own = {each.name for each in FULL.own if each.paper not in WAITING}
    assert flows.isdisjoint(LATER)
    assert {*FAMILIES} | own - LATER <= flows
    assert flows <= {*FAMILIES, *(each.name for each in FULL.own)}
    for row in report.rows:
        assert len(row.seconds) == report.repeats >= 7
        assert bool(row.compiled_seconds) == bool(row.first) or row.fault


@pytest.mark.thorough
def test_a_run_measures_all_libraries(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(torch, "compile", lambda call: call)
    monkeypatch.setattr(command, "QUICK", PLAN)
    output = tmp_path / "compiled.json"
    assert command.main(["--quick", "--output", str(output)]) == 0
    report = read(CompiledFlows, output)
    libraries = ["ours", "zuko", "nflows", "normflows"]
    assert [row.library for row in report.rows] == [*libraries * 2, "ours", "ours"]
    assert not any(row.fault for row in report.rows)
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == len(report.rows)
    assert "→ [2/2] Linear" in printed.err


@pytest.mark.long
def test_a_quick_run_compiles(tmp_path: Path) -> None:
    output = tmp_path / "compiled.json"
    arguments = ["--quick", "--output", str(output)]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.compiled", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    report = read(CompiledFlows, output)
    assert not [row.fault for row in report.rows if row.library == "ours"]


def compilation(flow: str, library: str, after: float | None, fault: str = "") -> dict:
    compiled = (after,) * 3 if after else None
    return {
        **{"paper": None, "flow": flow, "dim": 64, "batch": 512},
        **{"task": "training_step", "library": library, "parameters": 9},
        **{"seconds": (0.01,) * 3, "processor": (0.02,) * 3},
        **{"compiled_seconds": compiled, "compiled_processor": compiled},
        **{"first": 12.3 if after else None, "breaks": 0 if after else None},
        **{"difference": None, "fault": fault},
    }


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The committed results, and a sample of what compiling may give."""
    for name in ("flows", "gaps", "scaling", "exactness", "accuracy"):
        (tmp_path / f"{name}.json").symlink_to(RESULTS / f"{name}.json")
    given = [
        compilation("maf", "ours", 0.004),
        compilation("maf", "zuko", None, "RuntimeError: <b> and *stars*"),
        compilation("nsf", "ours", 0.02),
        compilation("nsf", "zuko", 0.001, "wrong: log p differs by 2"),
        compilation("Lonely", "ours", 0.01),
    ]
    report = CompiledFlows(
        date="2026-11-30",  # pyright: ignore[reportArgumentType]
        machine=Machine(cores=16, model="A processor", memory_gb=128),
        versions={"torch": "2.13.0"},
        threads=16,
        gpu="not measured",
        repeats=3,
        limit=9,
        rows=tuple(Compilation(**row) for row in given),
    )
    write(report, tmp_path / "compiled.json")
    return tmp_path


def section(results: Path) -> str:
    written = (ROOT / "docs" / "compare.md").read_text("utf-8")
    edition = Edition(
        frozen_catalogue(), read_project(), compare(results), examine(results)
    )
    page = pages.fill_in(written, edition, "../")
    return page.partition("## Compiled\n")[2].partition("## On a GPU")[0]


def test_the_page_shows_eager_and_compiled(results: Path) -> None:
    page = section(results)
    for said in (
        "on 16 threads",
        '<th scope="row"><span class="of">MAF, </span>64-d, 512',
        '<td class="number" data-value="2.5">10.0 → 4.00 <small>×2.50</small></td>',
        '<td class="number behind" data-value="0.5">10.0 → 20.0 <small>×0.500</small>',
        "10.0 → <small>not compiled</small></td>",
        "<small>×10.0, wrong</small></td>",
        '<span class="of">Lonely, </span>',
        '<td class="number" data-value="">–</td></tr>',
        "from 12 to 12 seconds; the median is 12.",
        "slower by more than 5 %: NSF, coupling (train).",
        r"- MAF, train, zuko: RuntimeError: &lt;b> and \*stars\*",
        "- NSF, coupling, train, zuko: wrong: log p differs by 2",
        "Median of 3 repeats on Nov 30, 2026, on A processor, 16 cores, with torch 2.1",
    ):
        assert said in page, said


def test_without_a_result_the_page_says_not_measured(results: Path) -> None:
    (results / "compiled.json").unlink()
    assert compare(results).compiled is None
    assert section(results).strip().startswith("Not measured yet: `python -m benchm")
