"""Claims are repeated over seeds; results are whole, honest and not out of date."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import claims
from scripts.notebook import papers
from scripts.project import ROOT
from tests.notebooks.project import Project

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


@pytest.mark.parametrize("paper", papers(ROOT))
def test_committed_claims_are_fresh_and_hold(paper: str) -> None:
    results = claims.read(ROOT, paper)
    assert results, f"run `make claims ONLY={paper}`"
    (fingerprint,) = claims.fingerprints(ROOT, [paper]).values()
    assert results["fingerprint"] == fingerprint, f"run `make claims ONLY={paper}`"
    assert len(results["seeds"]) >= 5
    assert results["claims"]
    assert results["device"] and results["gpu"]
    assert claims.broken(results) == []


def write(project: Project, fails: int | None = None) -> Path:
    project.write("made.py", PAPER.replace("FAILS", str(fails)))
    return project.root / "implementations" / "results" / "made.json"


def test_values_stand_side_by_side_and_a_second_run_does_nothing(
    project: Project, capsys: pytest.CaptureFixture[str]
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
    assert capsys.readouterr().out.endswith("1 up to date, 0 to run, 3 seeds\n")
    assert path.stat().st_mtime_ns == before


def test_code_makes_results_stale_and_figures_do_not(project: Project) -> None:
    write(project)
    fresh = claims.fingerprints(project.root, ["made"])
    project.edit("made.py", "a figure", "another figure")
    assert claims.fingerprints(project.root, ["made"]) == fresh
    project.edit("made.py", "seed / 3", "seed / 4")
    assert claims.fingerprints(project.root, ["made"]) != fresh


def test_a_broken_claim_is_recorded_and_told(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(project)
    project.edit("made.py", '"below": 2.5', '"below": 0.5')
    assert claims.run(project.root, seeds=3) == 1
    assert capsys.readouterr().err == "small: 0.667 under seed 2\n"
    assert json.loads(path.read_text())["claims"][0]["values"] == [0.0, 0.3333, 0.6667]


def test_a_run_that_fails_leaves_the_results_alone(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(project)
    claims.run(project.root, seeds=2)
    before = path.read_text()
    write(project, fails=1)
    assert claims.run(project.root, seeds=2) == 1
    assert "implementations/made.py, seed 1: ValueError: no luck" in (
        capsys.readouterr().err
    )
    assert path.read_text() == before


def test_an_unknown_paper_is_named(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project)
    assert claims.run(project.root, only="mede") == 1
    assert "no paper is called mede: did you mean made?" in capsys.readouterr().err
