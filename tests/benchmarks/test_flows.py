"""`python -m benchmarks.flows`, and the results that it has left."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import flows, gaps
from benchmarks.flows import collapsed, main
from benchmarks.ours import OUR_FLOWS, UNMEASURED, WAITING, OurFlow
from benchmarks.plan import FAMILIES, FULL, LEFT_OUT
from scripts.base.project import ROOT
from scripts.results import files
from scripts.results.files import ResultsError, read, write
from scripts.results.forms import Flows, Gap, Gaps
from scripts.results.races import Race, races
from scripts.scaffold.checklist import OR_WAIT


@pytest.fixture(scope="module")
def results() -> Flows:
    return read(Flows, flows.RESULTS)


def test_results_hold_what_is_planned(results: Flows) -> None:
    """Equal layers on one thread at least; the rest, if any of it is there."""
    found = races(results.contests)
    least = replace(FULL, dims={"equal": FULL.dims["equal"]}, threads=(1,))
    more = replace(FULL, threads=(1, results.threads))
    plan = more if any(race.kind == "default" for race in found) else least
    planned = {(*p, task) for p in plan.places(FAMILIES) for task in p.tasks()}
    assert {race[:6] for race in found} == planned
    libraries = {"ours", "zuko", "nflows", "normflows"}
    for race in found:
        expected = libraries - {"zuko"} if race.family == "glow" else libraries
        assert set(race.rows) == expected
        assert {len(row.seconds) for row in race.rows.values()} == {results.repeats}
        counts = [row.parameters for row in race.rows.values()]
        assert max(counts) <= 1.02 * min(counts)
    assert results.repeats >= 7
    assert set(results.holds) == (set(FAMILIES) if plan is more else set())
    trained = {
        (race.kind, *race[2:5], name)
        for race in found
        if race.task == "training_step"
        for name in race.rows
    }
    weighed = [
        (row.kind, row.family, row.dim, row.batch, row.library)
        for row in results.memory
    ]
    assert sorted(weighed) == sorted(trained)
    planned_out, reasons = results.left_out[:2], results.left_out[2:]
    assert planned_out == LEFT_OUT
    assert set(reasons) <= set(UNMEASURED)


def test_a_plan_has_all_flows_of_both_kinds_on_all_its_threads() -> None:
    places = replace(FULL, threads=(1, 2)).places(FAMILIES)
    assert len(set(places)) == len(places)
    assert {place[:3] for place in places} >= {
        (kind, threads, family)
        for kind in ("default", "equal")
        for threads in (1, 2)
        for family in FULL.dims[kind]
    }
    assert not any("training_step" in p.tasks() for p in places if p.family == "iaf")
    assert len(replace(FULL, threads=(1, 1)).places(FAMILIES)) == len(places) / 2


def test_results_are_of_the_flows_that_are_registered(results: Flows) -> None:
    measured = [(flow.paper, flow.name) for flow in results.flows]
    told = "benchmarks/results/flows.json has other flows than are registered"
    fix = f"run .venv/bin/python -m benchmarks.flows; {OR_WAIT}"
    assert not others(measured, OUR_FLOWS, WAITING), f"{told}: {fix}"


def others(
    measured: list[tuple[str, str]], own: Sequence[OurFlow], waiting: Set[str]
) -> list[tuple[str, str]]:
    """What is measured and not registered, or registered, not waiting nor measured."""
    named = {(each.paper, each.name) for each in own}
    needed = {each for each in named if each[0] not in waiting}
    twice = [each for each in measured if measured.count(each) > 1]
    return sorted({*measured} - named | needed - {*measured} | {*twice})


def test_only_a_flow_that_waits_may_be_missing() -> None:
    """And one that waits may be there: who measures it removes the word afterwards."""
    own = [each for each in OUR_FLOWS if each.paper in ("nice", "glow")]
    named = [(each.paper, each.name) for each in own]
    assert not others(named, own, {"nice"}) and not others(named, own, set())
    left = [each for each in named if each[0] != "nice"]
    assert not others(left, own, {"nice"})
    assert {each[0] for each in others(left, own, {"glow"})} == {"nice"}
    assert others([*named, ("nice", "Other")], own, {"nice"}) == [("nice", "Other")]
    assert others([*named, named[0]], own, set()) == [named[0]]


def test_every_flow_on_the_plane_has_its_gap() -> None:
    results = read(Gaps, gaps.RESULTS)
    exact = {(own.paper, own.name): own.log_det == "exact" for own in OUR_FLOWS}
    measured = [(gap.paper, gap.name) for gap in results.gaps]
    told = "benchmarks/results/gaps.json has other flows than are registered"
    left = others(measured, gaps.ON_THE_PLANE, WAITING)
    known = {own.name for own in gaps.ON_THE_PLANE}
    only = "".join(f' --only "{name}"' for _, name in left if name in known)
    fix = f"run .venv/bin/python -m benchmarks.gaps{only}; {OR_WAIT}"
    assert not left, f"{told}: {fix}"
    assert {len(gap.gap) for gap in results.gaps} == {gaps.SEEDS}
    assert (results.steps, results.batch) == (gaps.STEPS, gaps.BATCH)
    for gap in results.gaps:
        assert min(gap.gap) > 0, gap.name
        # Of a solver's steps, back and forth are not each other's inverse exactly.
        bound = 1e-4 if exact[gap.paper, gap.name] else 0.1
        assert gap.round_trip is None or gap.round_trip < bound, gap.name


def test_one_flow_alone_is_trained_and_joins_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there = read(Gaps, gaps.RESULTS)
    first, second, *more = there.gaps
    few = there.model_copy(update={"gaps": (second, *more)})
    committed = tmp_path / "gaps.json"
    write(few, committed)
    monkeypatch.setattr(gaps, "RESULTS", committed)

    def trained(own: OurFlow) -> Gap:
        return Gap(paper=own.paper, name=own.name, gap=(7.0,) * 3, round_trip=None)

    monkeypatch.setattr(gaps, "gap", trained)
    assert gaps.main(["--only", first.name, "--only", second.name]) == 0
    new = [
        each.model_copy(update={"gap": (7.0,) * 3, "round_trip": None})
        for each in (second, first)
    ]
    assert read(Gaps, committed) == there.model_copy(
        update={"gaps": (new[0], *more, new[1])}
    )
    with pytest.raises(SystemExit):
        gaps.main(["--only", "nothing"])


def test_results_are_a_row_a_line_and_read_as_written(
    results: Flows, tmp_path: Path
) -> None:
    path = tmp_path / "flows.json"
    write(results, path)
    assert read(Flows, path) == results
    assert path.read_bytes() == flows.RESULTS.read_bytes()
    rows = [
        line for line in path.read_text("utf-8").splitlines() if '"seconds"' in line
    ]
    assert len(rows) == len(results.contests)
    assert all(json.loads(row.rstrip(",")) for row in rows)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"threads": 0}, "threads"),
        ({"threads": "1"}, "threads"),
        ({"date": "yesterday"}, "date"),
        ({"gpu": None}, "gpu"),
        ({"extra": 1}, "extra"),
        ({"contests": [{"family": "maf"}]}, "contests.0.dim"),
        ({"flows": "none"}, "flows"),
    ],
)
def test_other_forms_are_refused(
    change: dict[str, Any], place: str, tmp_path: Path
) -> None:
    content = json.loads(flows.RESULTS.read_text("utf-8"))
    path = tmp_path / "flows.json"
    path.write_text(json.dumps(content | change), "utf-8")
    with pytest.raises(ResultsError, match=f"flows.json: {place}: .* writes it anew"):
        read(Flows, path)


@pytest.mark.parametrize("seconds", [[], [0.0], [-1.0], ["1"], [float("nan")]])
def test_seconds_are_positive(seconds: list[object], tmp_path: Path) -> None:
    content = json.loads(flows.RESULTS.read_text("utf-8"))
    content["contests"][0]["seconds"] = seconds
    path = tmp_path / "flows.json"
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(ResultsError, match=r"contests\.0\.seconds"):
        read(Flows, path)


def test_the_ratio_is_over_the_fastest_peer_turn_by_turn(results: Flows) -> None:
    row = results.contests[0]

    def of(library: str, *seconds: float) -> Any:
        return row.model_copy(update={"library": library, "seconds": seconds})

    (race,) = races([of("ours", 1, 2, 4), of("zuko", 3, 3, 3), of("nflows", 2, 2, 9)])
    assert race.best == "nflows"  # by its median
    assert race.ratio == statistics.median([2 / 1, 2 / 2, 9 / 4])


def race(family: str, task: Any, ratio: float) -> Race:
    return Race("equal", 1, family, 2, 64, task, ratio, {})


def test_what_has_collapsed() -> None:
    assert collapsed(race("real_nvp", "sample", 0.3))
    assert not collapsed(race("real_nvp", "sample", 0.7))
    assert collapsed(race("maf", "sample", 0.7))
    assert collapsed(race("iaf", "log_density", 0.7))
    assert not collapsed(race("maf", "log_density", 0.7))


@pytest.mark.parametrize(("arguments", "status"), [(["--quick"], 1), ([], 0)])
def test_only_a_quick_run_fails_where_a_ratio_has_collapsed(
    arguments: list[str],
    status: int,
    results: Flows,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def slow(row: Any) -> Any:
        seconds = tuple(9 * value for value in row.seconds)
        return row.model_copy(update={"seconds": seconds})

    rows = [row for row in results.contests if row.kind == "equal"][:4]
    rows = [slow(row) if row.library == "ours" else row for row in rows]
    fallen = results.model_copy(update={"contests": tuple(rows)})
    monkeypatch.setattr(flows, "measure", lambda plan, families: fallen)
    output = tmp_path / "flows.json"
    assert main([*arguments, "--output", str(output)]) == status
    told = capsys.readouterr().out
    assert told.count("collapsed: real_nvp, equal layers, 2-d") == status
    assert read(Flows, output) == fallen


@pytest.mark.parametrize("part", [["--quick"], ["--only", "maf"]])
def test_a_part_overwrites_nothing(
    part: list[str], results: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows, "measure", lambda plan, families: results)
    written: list[Path] = []
    monkeypatch.setattr(files, "write", lambda report, path: written.append(path))
    assert main(part) == 0
    assert written == []
    assert main([]) == 0
    assert written == [flows.RESULTS]


def test_an_unknown_family_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--only", "maf,residual"])
    assert "expected any of real_nvp, maf, iaf" in capsys.readouterr().err


@pytest.mark.thorough
def test_a_quick_run_measures_and_finds_nothing_collapsed(tmp_path: Path) -> None:
    """In a process of its own, as it pins torch to one thread."""
    output = tmp_path / "quick.json"
    command = [sys.executable, "-m", "benchmarks.flows", "--quick", "--output"]
    run = subprocess.run(
        [*command, str(output)], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    report = read(Flows, output)
    assert len(races(report.contests)) == run.stdout.count(", 1 thread, ")
    assert report.memory and report.flows
