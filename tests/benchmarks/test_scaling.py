"""The growth of time: exponents, counts, which curves end, and what a run writes."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks import scaling
from benchmarks.libraries.families import BARE, LAYERS, LIBRARIES, WIDTH
from benchmarks.libraries.model import FlowModel
from benchmarks.plan import TASKS
from benchmarks.scaling import FULL, LONGEST, SLOW, ScalingPlan, exponent, multiply_adds
from benchmarks.speed.timing import Clock, processor, wall
from scripts.results.files import read
from scripts.results.scaling import Along, Cost, Curve, ScalingResults, curves


@pytest.fixture
def threads() -> Iterator[None]:
    """Leaves torch's threads as they were."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_the_exponent_of_a_power_law_is_found() -> None:
    x = [1, 2, 8, 64]
    assert exponent(x, [3 * value**1.5 for value in x]) == 1.5


def test_multiply_adds_are_those_of_matrix_products() -> None:
    layer = nn.Linear(5, 7)
    assert multiply_adds(partial(layer, torch.zeros(3, 5))) == 3 * 5 * 7


@pytest.mark.parametrize("family", ["maf", "nsf_autoregressive"])
def test_autoregressive_sampling_multiplies_less_than_one_density(family: str) -> None:
    """At 64 dimensions: where a pass for each would take 64 times as much."""
    flow = BARE[family]["ours"](64, LAYERS[family], WIDTH, 0).eval()
    forward = multiply_adds(partial(flow.log_prob, torch.zeros(1, 64)))
    assert 0 < multiply_adds(partial(flow.sample, 1)) < 0.75 * forward


@pytest.mark.parametrize("along", ["dim", "batch"])
def test_results_hold_what_is_planned(along: Along) -> None:
    """Our sampling at every size, the others up to where a call takes too long."""
    report = read(ScalingResults, scaling.RESULTS)
    planned = [*(FULL.dims if along == "dim" else FULL.batches)]
    found = curves(getattr(report, f"along_{along}"))
    for family in scaling.FAMILIES:
        ours = found[Curve(1, family, "sample", "ours")]
        assert [getattr(row, along) for row in ours] == planned
        assert all(row.multiply_adds and row.forward for row in ours)
    for curve, rows in found.items():
        sizes = [getattr(row, along) for row in rows]
        assert sizes == planned[: len(sizes)], curve
        medians = [statistics.median(row.seconds) for row in rows]
        if report.longest and (curve.library, curve.task) != scaling.KEPT:
            assert all(each <= report.longest for each in medians[:-1]), curve
            assert sizes == planned or medians[-1] > report.longest, curve


@pytest.mark.thorough
def test_a_run_prints_and_writes_its_exponents(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    threads: None,
) -> None:
    plan = ScalingPlan((6, 8), 3, (1, 2), 6, threads=(1,), repeats=2, few=1)
    monkeypatch.setattr(scaling, "QUICK", plan)
    output = tmp_path / "scaling.json"
    arguments = ["--quick", "--only", "maf,real_nvp", "--output", str(output)]
    assert scaling.main(arguments) == 0
    report = read(ScalingResults, output)
    rows = [(r.along, r.family, r.task, r.library) for r in report.growth]
    assert rows == [
        (along, family, task, library)
        for along in ("dim", "batch")
        for family in ("maf", "real_nvp")
        for task in TASKS
        for library in LIBRARIES
    ]
    assert {row.dim for row in report.along_dim} == {6, 8}
    for row in report.along_dim:
        assert row.batch == 3 and len(row.seconds) == 2
        ours = (row.library, row.task) == ("ours", "sample")
        assert bool(row.multiply_adds) == bool(row.forward) == ours
    assert report.left_out == ()
    captured = capsys.readouterr()
    printed = captured.out.splitlines()
    assert len(printed) == len(rows)
    assert printed[0].startswith("maf, log-density, ours, 1 thread ")
    assert sum("those of dim passes" in line for line in printed) == 2
    assert captured.err.splitlines()[0] == "→ maf, 6-d ×3, 1 thread"


def test_a_curve_ends_once_a_call_takes_too_long(
    monkeypatch: pytest.MonkeyPatch, threads: None
) -> None:
    """And few repeats are enough of what was slow before; each clock in its place."""
    call = dict.fromkeys(LIBRARIES, SLOW / 2) | {"zuko": 2 * LONGEST}
    asked: list[tuple[list[str], int, Clock]] = []

    def timed(
        runs: Mapping[str, object], repeats: int, clock: Clock, long: float
    ) -> dict[str, tuple[float, ...]]:
        asked.append(([*runs], repeats, clock))
        return {name: (call[name],) * repeats for name in runs}

    def small(family: str, dim: int) -> dict[str, FlowModel]:
        return {name: BARE[family]["ours"](dim, 1, 4, 0) for name in LIBRARIES}

    monkeypatch.setattr(scaling, "interleaved", timed)
    monkeypatch.setattr(scaling, "bare", small)
    plan = ScalingPlan((6, 7, 8), 2, (), 0, threads=(1, 2), repeats=5, few=3)
    rows = list(scaling.costs(plan, "dim", ["maf"]))
    first, later = [*LIBRARIES], [name for name in LIBRARIES if name != "zuko"]
    each = [(first, 5)] * 3 + [(later, 5)] * 6
    assert asked == [(*turn, processor) for turn in each] + [(*t, wall) for t in each]
    told = list(scaling.left_out(rows, "dim"))
    assert len(told) == 2 * len(TASKS)
    end = "beyond 6 dimensions, 2 at once, where a call takes 0.8 s."
    assert told[0] == f"maf, log-density, zuko, 1 thread: {end}"
    asked.clear()
    call |= {"nflows": (SLOW + LONGEST) / 2, "ours": 2 * LONGEST}
    list(scaling.costs(plan, "dim", ["maf"]))
    assert [turn[:2] for turn in asked[3:6]] == [
        (["nflows", "normflows"], 3),
        (["ours", "nflows", "normflows"], 3),
        (["nflows", "normflows"], 3),
    ]
    asked.clear()
    call |= dict.fromkeys(LIBRARIES, 2 * LONGEST)
    list(scaling.costs(plan, "dim", ["maf"]))
    assert [turn[:2] for turn in asked[3:5]] == [(["ours"], 3)] * 2


def rows_of(seconds: Sequence[float], **fields: Any) -> list[Cost]:
    """A curve in 2, 4, 8, … dimensions."""
    return [
        Cost(family="maf", dim=2 ** (k + 1), batch=1, seconds=(each,), **fields)
        for k, each in enumerate(seconds)
    ]


def test_exponents_leave_small_sizes_out() -> None:
    """Where calls take the time: here one second up to 8, then as much as there is."""
    rows = [
        row.model_copy(update={"multiply_adds": row.dim, "forward": row.dim})
        for row in rows_of([1, 1, 1, 2, 4])
    ]
    (row,) = scaling.growth(rows, "dim")
    assert (row.start, row.time, row.multiply_adds, row.passes) == (8, 1, 1, 2)


def test_a_curve_that_ends_early_has_its_own_upper_half() -> None:
    rows = rows_of([1, 4, 64], library="zuko") + rows_of([1], library="nflows")
    (row,) = scaling.growth(rows, "dim")
    assert (row.library, row.start, row.time) == ("zuko", 4, 4)
    assert row.multiply_adds is row.passes is None
