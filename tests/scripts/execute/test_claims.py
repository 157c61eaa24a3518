"""Claims are repeated over seeds; results are whole, honest and not out of date."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import psutil
import pytest

from scripts.base.files import write_atomic
from scripts.base.project import ROOT
from scripts.execute import claims
from scripts.execute.claims.results import codes
from tests.support.small_project import SmallProject

PAPER = """
    # %%
    import json, os, pathlib

    # %%
    if __name__ == "__main__":
        seed = int(os.environ["SEED"])
        if seed == FAILS:
            raise ValueError("no luck")
        record = {"text": "small", "bound": {"below": 2.5}, "value": seed / 3}
        with pathlib.Path(os.environ["CLAIMS_OUT"]).open("a") as file:
            file.write(json.dumps(record) + "\\n")

    # %% tags=["plot"]
    if __name__ == "__main__":
        print("a figure")
    """


def write(project: SmallProject, fails: int | None = None) -> Path:
    project.write("made.py", PAPER.replace("FAILS", str(fails)))
    return project.root / "implementations" / "results" / "made.json"


def kept(path: Path) -> dict[int, float]:
    """Seed → the value of the only claim."""
    results = json.loads(path.read_text("utf-8"))
    (claim,) = results["claims"]
    assert len(results["seconds"]) == len(results["seeds"])
    return dict(zip(results["seeds"], claim["values"], strict=True))


def test_values_stand_side_by_side_and_a_second_run_does_nothing(
    project: SmallProject, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(project)
    assert claims.run(project.root, seeds=3) == 0
    results = json.loads(path.read_text())
    assert results["seeds"] == [0, 1, 2]
    assert (results["device"], results["gpu"]) == ("cpu", "not measured")
    (claim,) = results["claims"]
    assert claim == {
        "text": "small",
        "bound": {"below": 2.5},
        "values": [0.0, 0.3333, 0.6667],
    }
    before = path.stat().st_mtime_ns
    assert claims.run(project.root, seeds=3) == 0
    assert capsys.readouterr().out.endswith("1 up to date, 0 behind\n")
    assert path.stat().st_mtime_ns == before


def test_code_makes_results_stale_and_figures_do_not(project: SmallProject) -> None:
    write(project)
    fresh = codes(project.root, ["made"])
    project.edit("made.py", "a figure", "another figure")
    assert codes(project.root, ["made"]) == fresh
    project.edit("made.py", "seed / 3", "seed / 4")
    assert codes(project.root, ["made"]) != fresh


def test_every_finished_seed_has_its_line(
    project: SmallProject, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(project)
    project.edit("made.py", '"below": 2.5', '"below": 0.5')
    assert claims.run(project.root, seeds=3) == 1
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "0 up to date, 1 behind"
    ends = {0: "1 of 1 claims hold", 2: "0 of 1 claims hold; not: small"}
    for seed, end in ends.items():
        (line,) = [line for line in lines if line.startswith(f"made, seed {seed}: ")]
        assert re.fullmatch(rf".*: \d+ s, {end}", line)
    assert lines[-1] == "made: claims 1, seeds 3, broken 1"
    assert err == "small: 0.667 under seed 2, claimed below 0.5\n"
    assert kept(path) == {0: 0.0, 1: 0.3333, 2: 0.6667}


def test_from_three_seeds_to_five_runs_two(
    project: SmallProject, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(project)
    claims.run(project.root, seeds=3)
    results = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(results | {"remark": "kept"}), "utf-8")
    capsys.readouterr()
    assert claims.run(project.root, seeds=5) == 0
    assert json.loads(path.read_text("utf-8"))["remark"] == "kept"
    out = capsys.readouterr().out
    assert re.findall(r"seed (\d):", out) in (["3", "4"], ["4", "3"])
    assert sorted(re.findall(r"seed (\d) starts", out)) == ["3", "4"]
    assert list(kept(path)) == [0, 1, 2, 3, 4]
    assert claims.run(project.root, seeds=2, force=True) == 0
    assert list(kept(path)) == [0, 1, 2, 3, 4]


def test_a_seed_that_fails_costs_no_other(
    project: SmallProject, capsys: pytest.CaptureFixture[str]
) -> None:
    path, unlucky = write(project), project.root / "unlucky"
    unlucky.touch()
    condition = f"seed == 1 and pathlib.Path({str(unlucky)!r}).exists()"
    project.edit("made.py", "seed == None", condition)
    assert claims.run(project.root, seeds=3) == 1
    assert "implementations/made.py, seed 1: ValueError: no luck" in (
        capsys.readouterr().err
    )
    assert list(kept(path)) == [0, 2]
    unlucky.unlink()
    assert claims.run(project.root, seeds=3) == 0
    assert re.findall(r"seed (\d):", capsys.readouterr().out) == ["1"]
    assert list(kept(path)) == [0, 1, 2]


@pytest.mark.parametrize("what", ["fingerprint", "python", "torch", "device"])
def test_seeds_of_another_kind_are_run_again(what: str, project: SmallProject) -> None:
    path = write(project)
    claims.run(project.root, seeds=2)
    results = json.loads(path.read_text("utf-8"))
    results[what] = "another"
    if what == "fingerprint":  # else they are replayed
        results["trace"]["claims"] = ["0.1 of 2.5"]
    results["claims"][0]["values"] = [9.0, 9.0]
    path.write_text(json.dumps(results), "utf-8")
    assert claims.run(project.root, seeds=3) == 0
    assert kept(path) == {0: 0.0, 1: 0.3333, 2: 0.6667}
    assert json.loads(path.read_text("utf-8"))[what] != "another"


def test_claims_that_change_with_the_seed_are_told(
    project: SmallProject, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(project)
    project.edit("made.py", '"text": "small"', '"text": f"small {seed}"')
    assert claims.run(project.root, seeds=2, jobs=1) == 1
    told = "seed 1 claims something else than seed 0: new 'small 1'; no 'small 0' (make"
    assert told in capsys.readouterr().err
    assert list(kept(path)) == [0]


def test_what_has_finished_is_told_and_kept_when_the_rest_is_interrupted(
    project: SmallProject,
) -> None:
    """In a log, which is no terminal, too."""
    path = write(project)
    project.edit(
        "made.py",
        "if seed == None:",
        "if seed == 1:\n        import time; time.sleep(100)",
    )
    program = (
        "import sys; from pathlib import Path; from scripts.execute import claims; "
        "sys.exit(claims.run(Path(sys.argv[1]), seeds=2))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(project.root)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "0 up to date, 1 behind\n"
    lines = iter(process.stdout.readline, "")
    told = [*takewhile(lambda line: not line.startswith("made, seed 0: "), lines)]
    assert sorted(told) == ["made, seed 0 starts\n", "made, seed 1 starts\n"]
    started = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    told = "Interrupted: finished seeds are kept, `make claims` runs the others\n"
    assert (process.returncode, err) == (130, told)
    assert not psutil.wait_procs(started, timeout=5)[1]
    assert list(kept(path)) == [0]


def test_an_unknown_paper_is_named(
    project: SmallProject, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project)
    assert claims.run(project.root, only="mede") == 1
    assert "no paper is called mede: did you mean made?" in capsys.readouterr().err


def test_results_that_are_no_json_are_told(
    project: SmallProject, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(project)
    write_atomic(path, "<<<<<<< HEAD\n{}\n")
    assert claims.run(project.root) == 1
    told = "implementations/results/made.json:1: is no JSON: restore it, or delete it"
    assert told in capsys.readouterr().err
