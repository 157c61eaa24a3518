"""`make gpu`: parts that fail, crash or hang, what is written, and what is shown."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import contract, part, report, words
from benchmarks.gpu.parts import PARTS, Part, Place
from benchmarks.gpu.running import PartOutcome, run_part, run_within
from scripts.base.project import ROOT, read_project
from scripts.results.files import read
from scripts.results.gpu import Gpu
from scripts.site import pages
from scripts.site.edition import Edition
from scripts.site.measured.exactness import examine
from scripts.site.measured.speed import compare
from tests.flows import test_contract, test_contract_tools
from tests.frozen import frozen_catalogue

RESULTS = ROOT / "benchmarks" / "results"
CPU = Place("cpu", smoke=False)
HEAD = {
    "date": "2026-11-29",
    "machine": {"cores": 16, "model": "A processor", "memory_gb": 128},
    "versions": {"python": "3.12.3", "torch": "2.11.0", "CUDA": "13.0"},
    "threads": 1,
    "gpu": "A Card",
}
KEPT = {"promise": "round_trip", "case": "nice, 2-d", "said": ""}
ROUNDED = {
    **{"paper": "nice", "name": "NICE", "dims": 2},
    **{"shift": 0.0001, "mean": 0.001, "worst": 0.004},
}

# What stands in for the parts, one kind of trouble each; the first rows count.
TROUBLES = {
    "contract": """
        emit({"promise": "round_trip"}, {"promise": "round_trip"})
        emit({"promise": "round_trip", "case": "nice", "said": ""})
        host = __import__("socket").gethostname()
        raise RuntimeError(f"no luck in {__file__} on {host}")
    """,
    "speed": """
        emit("one library: it does not run there")
        __import__("os").kill(__import__("os").getpid(), 11)
    """,
    "compiled": """
        __import__("subprocess").Popen(["sleep", "77.5"])
        __import__("time").sleep(60)
    """,
    "autocast": """
        import a_package_that_is_missing
    """,
    "notebooks": """
        written = __import__("json").load(open(__import__("os").environ["REPORT"]))
        seconds = len(written["endings"])
        emit({"paper": "nice", "seconds": seconds, "claims": []})
    """,
}


@pytest.fixture
def troubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Part]:
    """Parts each of which fails in its own way, but for the last."""
    package = tmp_path / "standing_in"
    package.mkdir()
    for name, body in TROUBLES.items():
        lines = [f"    {line.strip()}" for line in body.strip().splitlines()]
        source = "\n".join(["def run(place, emit):", *lines])
        (package / f"{name}.py").write_text(source + "\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("REPORT", str(tmp_path / "gpu.json"))
    return [
        replace(each, package="standing_in", needs=(), seconds=30) for each in PARTS
    ]


def test_a_part_that_fails_crashes_or_hangs_takes_nothing_from_the_others(
    troubled: list[Part], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gpu.json"
    fields, end = report.empty(HEAD), time.monotonic() + 5 * 30
    troubled[2] = replace(troubled[2], seconds=5)
    failed = command.measure(troubled, CPU, fields, path, end)
    found = read(Gpu, path)
    endings = {each.part: each for each in found.endings}
    assert endings["contract"].why == "RuntimeError: no luck in … on …"
    assert endings["speed"].why == "ended by SIGSEGV"
    assert endings["speed"].left_out == ("one library: it does not run there",)
    assert re.fullmatch(r"stopped after \d+ seconds, .*", endings["compiled"].why or "")
    missing = "not measured: a_package_that_is_missing is not installed"
    assert endings["autocast"].why == missing
    assert endings["notebooks"].why is None
    # What was measured before the trouble counts; a missing package is no failure.
    (kept,) = found.contract
    assert (kept.cases, kept.kept, kept.asked) == (2, 1, 1)
    assert len(failed) == 3
    # Before the last part began, the others were written.
    assert found.notebooks[0].seconds == 4
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.thorough
def test_what_a_part_started_ends_with_it(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    child = f"import time, pathlib; time.sleep(4); pathlib.Path({str(alive)!r}).touch()"
    code = (
        "import subprocess, sys, time;"
        f"subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    )
    said = run_within((sys.executable, "-c", code), 1.5, os.environ)
    assert said == "stopped after 2 seconds, when its time was over"
    time.sleep(4)
    assert not alive.exists()


def test_time_that_a_part_saves_is_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(command.time, "monotonic", lambda: now)
    parts = [Part(name, name, 100) for name in "abcd"]
    given = []
    for each, limit in command.limits(parts, 400, smoke=False):
        given.append(limit)
        now += {"a": 10, "b": limit, "c": limit, "d": 0}[each.name]
    assert given == [100, 130, 130, 130]
    assert [limit for _, limit in command.limits(parts, 400, smoke=True)] == [130] * 4


def test_what_there_is_no_time_for_is_said(tmp_path: Path) -> None:
    fields = report.empty(HEAD)
    command.measure(PARTS[:1], CPU, fields, tmp_path / "gpu.json", time.monotonic())
    assert fields["endings"][0]["why"] == "not measured: the time was over"


def test_a_line_that_was_cut_short_is_left_out(
    troubled: list[Part], tmp_path: Path
) -> None:
    (tmp_path / "standing_in" / "speed.py").write_text(
        "import sys\n"
        "def run(place, emit):\n"
        "    emit({'first': 1}, {'first': 2})\n"
        "    path = sys.argv[sys.argv.index('--rows') + 1]\n"
        "    open(path, 'a').write('{\"rows\": [')\n"
    )
    outcome = run_part(troubled[1], CPU, 30)
    assert (outcome.rows, outcome.why) == ([{"first": 1}, {"first": 2}], None)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("No such file: '/opt/torch/.venv/x.so' (2)", "No such file: '…' (2)"),
        ("in ~/flows/glow.py, line 3", "in …, line 3"),
        (r"C:\Users\ada\flows failed", "… failed"),
        (
            "\n  CUDA out of memory. Tried 2.00 GiB\nmore",
            "CUDA out of memory. Tried 2.00 GiB",
        ),
        ("2 / 3 nats/dim", "2 / 3 nats/dim"),
        ("", "no message"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_messages_are_published_without_paths(message: str, shown: str) -> None:
    assert words.published(message) == shown


def test_missing_packages_are_named_before_anything_is_imported(
    tmp_path: Path,
) -> None:
    rows = tmp_path / "rows.jsonl"
    assert part.run("no.such", ["json", "no_zuko", "no_nflows"], CPU, rows) == 0
    why = "not measured: no_zuko, no_nflows are not installed"
    assert json.loads(rows.read_text("utf-8")) == {"why": why}


def test_a_single_part_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    fields = report.empty(HEAD)
    report.add(fields, "autocast", PartOutcome(3.0, rows=[ROUNDED]))
    report.write(fields, path)
    again = report.kept(path, HEAD | {"date": "2026-11-30"})
    report.add(again, "contract", PartOutcome(4.0, "RuntimeError: no", rows=[KEPT]))
    report.add(
        again, "contract", PartOutcome(5.0, rows=[{"promise": "round_trip"}, KEPT])
    )
    report.write(again, path)
    assert report.fault(path) is None
    found = read(Gpu, path)
    assert [each.part for each in found.endings] == ["autocast", "contract"]
    assert (found.endings[1].seconds, found.endings[1].why) == (5.0, None)
    assert found.autocast[0].name == "NICE" and found.date.day == 30
    with pytest.raises(ValueError, match=r"has gpu A Card, here it is Another"):
        report.kept(path, HEAD | {"gpu": "Another"})


def test_a_report_of_another_form_is_told(tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    fields = report.empty(HEAD)
    report.add(fields, "autocast", PartOutcome(3.0, rows=[ROUNDED | {"dims": 0}]))
    report.write(fields, path)
    assert re.search(
        r"gpu\.json: autocast\.0\.dims: .*benchmarks\.gpu", report.fault(path) or ""
    )


def test_without_a_card_it_says_so_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    places: list[Place] = []

    def stub(part: Part, place: Place, limit: float) -> PartOutcome:
        places.append(place)
        return PartOutcome(1.0, why=part.name if part.name in failing else None)

    before = sorted(RESULTS.iterdir())
    failing: set[str] = set()
    monkeypatch.setattr(command, "run_part", stub)
    monkeypatch.setattr(command, "head", lambda: HEAD | {"gpu": "not measured"})
    assert command.main([]) == 0
    assert places == [Place("cpu", smoke=True)] * len(PARTS)
    assert capsys.readouterr().out.startswith("No GPU here: nothing is measured")
    assert sorted(RESULTS.iterdir()) == before
    failing.add("speed")
    assert command.main(["--only", "speed"]) == 1
    assert capsys.readouterr().err == "speed beside the peers; speed\n"


def test_with_a_card_it_writes_what_can_be_committed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outcome = PartOutcome(1.0, left_out=["something"])
    places: list[Place] = []
    monkeypatch.setattr(
        command, "run_part", lambda part, place, limit: places.append(place) or outcome
    )
    monkeypatch.setattr(command, "head", lambda: HEAD)
    monkeypatch.setattr(command, "FOLDER", tmp_path)
    assert command.main([]) == 0
    assert places == [Place("cuda", smoke=False)] * len(PARTS)
    assert read(Gpu, tmp_path / "gpu.json").gpu == "A Card"
    (tmp_path / "gpu.json").unlink()
    assert command.main(["--smoke"]) == 1  # In a trial nothing may be left out.
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_part_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["--only", "speed,colour"])
    assert "expected any of contract, speed" in capsys.readouterr().err


@pytest.mark.sampled
@pytest.mark.parametrize("each", PARTS, ids=[part.name for part in PARTS])
def test_every_part_runs_on_the_cpu_in_smoke_mode(each: Part, tmp_path: Path) -> None:
    place = Place("cpu", smoke=True)
    path, fields = tmp_path / "gpu.json", report.empty(HEAD)
    outcome = run_part(each, place, 240)
    assert (outcome.why, outcome.left_out) == (None, [])
    report.add(fields, each.name, outcome)
    report.write(fields, path)
    assert report.fault(path) is None
    assert getattr(read(Gpu, path), each.name)
    assert not any(row["broken"] for row in fields["contract"])


def test_what_a_device_cannot_change_is_not_asked_there() -> None:
    promises = vars(test_contract) | vars(test_contract_tools)
    names = [name for name in promises if name.startswith("test_")]
    left_out = {name for name in names for word in contract.ELSEWHERE if word in name}
    assert "test_refuses_integers" in left_out
    for promise in ("round_trip", "gradients", "deep_stack", "vmap_of_gradient"):
        assert f"test_{promise}" in set(names) - left_out


@pytest.mark.thorough
def test_the_core_needs_no_package_that_a_lent_machine_lacks() -> None:
    """Measuring our own flows starts without pydantic and the peers."""
    lacking = ("pydantic", "zuko", "nflows", "normflows", "nbclient", "ipykernel")
    modules = ("__main__", "head", "part", "contract", "autocast", "notebooks")
    code = f"import sys; sys.modules.update(dict.fromkeys({lacking}))\n" + "".join(
        f"import benchmarks.gpu.{name}\n" for name in modules
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


def timing(family: str, library: str, seconds: float) -> dict[str, object]:
    return {
        **{"family": family, "dim": 64, "batch": 512, "task": "training_step"},
        **{"library": library, "parameters": 100, "seconds": [seconds] * 3},
    }


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The committed results, and a sample of what a GPU may give."""
    for name in ("flows", "gaps", "scaling", "exactness", "accuracy"):
        (tmp_path / f"{name}.json").symlink_to(RESULTS / f"{name}.json")
    fields = report.empty(HEAD)
    broken = KEPT | {"said": "AssertionError: <b> and *stars*"}
    announced = {"promise": "round_trip"}
    claim = {"text": "it *learns*", "value": 0.5, "above": None, "below": 1.0}
    claims = [claim, claim | {"value": 1.5}]
    rows = {
        "contract": [*[announced] * 3, KEPT, broken],
        "speed": [timing("maf", "ours", 0.002), timing("maf", "zuko", 0.005)],
        "compiled": [timing("nsf", "ours", 0.001), timing("nsf", "zuko", 0.0041)],
        "autocast": [ROUNDED, ROUNDED | {"name": "Rough", "shift": 0.02}],
        "notebooks": [{"paper": "nice", "seconds": 41, "claims": claims}],
    }
    for each in PARTS:
        report.add(fields, each.name, PartOutcome(9.0, rows=rows[each.name]))
    fields["endings"][1]["left_out"] = ["maf, 64-d, 512: nflows: RuntimeError: no"]
    fields["endings"][2]["why"] = "stopped after 100 seconds, when its time was over"
    report.write(fields, tmp_path / "gpu.json")
    return tmp_path


def shown(page: str, results: Path) -> str:
    written = (ROOT / "docs" / page).read_text("utf-8")
    edition = Edition(
        frozen_catalogue(), read_project(), compare(results), examine(results)
    )
    return pages.fill_in(written, edition, "../")


def test_the_page_shows_what_a_gpu_gave(results: Path) -> None:
    page = shown("compare.md", results)
    section = page.partition("## On a GPU")[2].partition("## How it was measured")[0]
    for said in (
        "on A Card, Nov 29, 2026, with python 3.12.3, torch 2.11.0, CUDA 13.0",
        "1 of 2 answers are as promised; 1 more were not asked for",
        r"- Not kept: round trip, nice, 2-d: AssertionError: &lt;b> and \*stars\*",
        '<th scope="row"><span class="of">MAF, </span>64-d, 512',
        "×2.50</td>",
        "×4.10</td>",
        ">4.10 <small>±0</small></td>",
        "- maf, 64-d, 512: nflows: RuntimeError: no",
        "- stopped after 100 seconds, when its time was over",
        "Of 1 of 2 the mean, which is what training sees, moves by no more than 0.01.",
        '<td class="number" data-value="41">41</td>',
        "- Does not hold: nice, it \\*learns\\*, 1.50",
    ):
        assert said in section, said
    assert "GPU: A Card." in page.partition("## How it was measured")[2]
    assert "GPU: [A Card](compare.md#on-a-gpu)" in shown("exactness.md", results)


def test_without_a_result_the_pages_say_not_measured(results: Path) -> None:
    (results / "gpu.json").unlink()
    assert compare(results).gpu is None
    page = shown("compare.md", results)
    assert "GPU: not measured." in page.partition("## How it was measured")[2]
    assert "## On a GPU\n\nNot measured yet" in page
    assert "GPU: not measured." in shown("exactness.md", results)


def test_a_paper_says_how_its_notebook_did(results: Path) -> None:
    gpu = compare(results).gpu
    assert gpu
    assert gpu.of("nice") == "A Card, Nov 29, 2026: 41 seconds, 1 of 2 claims hold"
    assert gpu.of("maf") == ""


@pytest.mark.thorough
def test_a_card_that_fails_one_answer_gives_the_others(tmp_path: Path) -> None:
    (tmp_path / "test_card.py").write_text(
        "import pytest\n"
        "broken = []\n"
        "@pytest.mark.parametrize('case', range(4))\n"
        "def test_promise(case):\n"
        "    if broken or case == 1:\n"
        "        broken.append(case)\n"
        "        raise RuntimeError('CUDA error: device-side assert triggered')\n"
    )
    plugins = ("no:cacheprovider", "benchmarks.gpu.workers")
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", str(tmp_path), "-n", "1"),
            *("-c", os.devnull, "--rootdir", str(tmp_path)),
            *(word for plugin in plugins for word in ("-p", plugin)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "1 failed, 3 passed" in run.stdout, run.stdout
