"""Code that changed and gives the same numbers is replayed, not executed for hours."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scripts.execute import claims, notebooks
from scripts.execute.trace import Trace
from tests.support.small_project import SmallProject

FIT = """
    from dataclasses import dataclass


    @dataclass
    class History:
        loss: list


    def fit(steps):
        total = 0.0
        losses = []
        for step in range(min(steps, 3)):
            total = total + slope() / 7
            losses.append(total)
        return History(losses)


    def slope():
        return 2.0
    """
PLOTS = """
    def show(x):
        print("a figure")
    """
PAPER = '''
    # %%
    """A paper."""
    import json, os
    from implementations.core.fit import fit
    from implementations.core.plots import show

    RATE = 0.5

    # %%
    def half(x, power=1):
        """x / 2."""
        return x / 2**power

    # %%
    if __name__ == "__main__":
        history = fit(steps=2_000)
        value = half(history.loss[-1])
        print(f"half of it: {value:.3f}")
        show(value)
        if "CLAIMS_OUT" in os.environ:
            record = {"text": "small", "bound": {"below": 9.5}, "value": value}
            with open(os.environ["CLAIMS_OUT"], "a") as file:
                file.write(json.dumps(record) + "\\n")
    '''


def trace(**changed: Any) -> Trace:
    whole = Trace(("1.5 1.25", "nan"), ("0.25 of 0.5", "3e-13 of 1e-10"), "words")
    return replace(whole, **changed)


@pytest.mark.parametrize(
    "same",
    [
        trace(),
        trace(losses=("1.50001 1.25", "nan")),
        trace(claims=("0.25 of 0.5", "8e-15 of 1e-10")),
    ],
)
def test_traces_agree_to_rounding(same: Trace) -> None:
    assert trace().difference(same) == same.difference(trace()) == ""


@pytest.mark.parametrize(
    "other",
    [
        trace(losses=("1.501 1.25", "nan")),
        trace(losses=("1.5 1.25", "1")),
        trace(losses=("1.5", "nan")),
        trace(losses=("1.5 1.25",)),
        trace(claims=("0.2501 of 0.5", "3e-13 of 1e-10")),
        trace(claims=("0.25 of 0.5", "3e-8 of 1e-10")),
        trace(claims=("0.25 of 0.6", "3e-13 of 1e-10")),
        trace(claims=("0.25 of 0.5",)),
        trace(text="other words"),
    ],
)
def test_a_number_or_a_word_that_differs_is_seen(other: Trace) -> None:
    assert trace().difference(other) and other.difference(trace())


def test_of_a_text_all_but_its_numbers_counts() -> None:
    texts = "a gap of 0.25", "a gap of  1.5e-3", "no gap of 0.25"
    outputs = [{"output_type": "stream", "text": text} for text in texts]
    hashes = [Trace.of([], [output]).text for output in outputs]
    assert hashes[0] == hashes[1] != hashes[2]


def test_descriptions_of_figures_are_text() -> None:
    def shown(alt: str) -> Trace:
        about = {"image/png": {"alt": alt}}
        data = {"image/png": "…", "text/markdown": "A table"}
        return Trace.of(
            [], [{"output_type": "display_data", "data": data, "metadata": about}]
        )

    assert shown("A dot.") == shown("A dot.") != shown("A line.")


@pytest.fixture
def paper(project: SmallProject) -> SmallProject:
    project.write("core/fit.py", FIT)
    project.write("core/plots.py", PLOTS)
    project.write("made.py", PAPER)
    return project


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("made.py", "2_000", "3_000"),
        ("made.py", "RATE = 0.5", "RATE = 0.25"),
        ("made.py", "power=1", "power=2"),
        ("core/plots.py", "a figure", "another figure"),
    ],
)
def test_what_a_short_run_does_not_show_is_never_replayed(
    paper: SmallProject, file: str, old: str, new: str
) -> None:
    before = paper.read("made").experiments
    paper.edit(file, old, new)
    assert paper.read("made").experiments != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("core/fit.py", "total + slope() / 7", "(7 * total + slope()) / 7"),
        ("made.py", "x / 2**power", "x * 0.5**power"),
        ("made.py", "x / 2.", "Half of x."),
        ("made.py", "RATE = 0.5", "RATE = 0.5\nNumber = int | float"),
        ("made.py", "half(x, power=1)", "half(x, power=1, base=None)"),
    ],
)
def test_a_refactoring_changes_no_experiment(
    paper: SmallProject, file: str, old: str, new: str
) -> None:
    before = paper.read("made").experiments
    paper.edit(file, old, new)
    assert paper.read("made").experiments == before


def test_results_that_a_notebook_shows_belong_to_its_experiments(
    paper: SmallProject,
) -> None:
    results = paper.root / "implementations" / "results" / "made.json"
    results.parent.mkdir()
    seen = set()
    for value in (0.5, 0.25):
        results.write_text(json.dumps({"seeds": [0], "claims": [{"values": [value]}]}))
        seen.add(paper.read("made").experiments)
    assert len(seen) == 2


def run(paper: SmallProject, capsys: pytest.CaptureFixture[str], **options: Any) -> str:
    assert notebooks.run(paper.root, **options) == 0
    return capsys.readouterr().out.splitlines()[-1]


def committed(paper: SmallProject) -> dict[str, Any]:
    return json.loads(paper.path("made").read_text("utf-8"))


REPLAYED = "made: replayed, a short run gives the same numbers"


@pytest.mark.thorough
def test_only_another_number_executes_a_notebook_again(
    paper: SmallProject, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(paper, capsys).startswith("made: executed in ")
    first = committed(paper)
    stamp = first["metadata"]["stamp"]
    assert stamp["trace"]["losses"] == ["0.285714 0.571429 0.857143"]
    assert stamp["trace"]["claims"] == ["0.428571 of 9.5"]

    paper.edit("core/fit.py", "total + slope() / 7", "(7 * total + slope()) / 7")
    assert run(paper, capsys) == REPLAYED
    second = committed(paper)
    assert second["cells"][3:] == first["cells"][3:]  # what was shown
    again = second["metadata"]["stamp"]
    assert again["replayed"] >= again["executed"] == stamp["executed"]
    assert again["fingerprint"] != stamp["fingerprint"]
    assert run(paper, capsys) == "made: fresh"
    assert run(paper, capsys, force=True).startswith("made: executed in ")
    assert "replayed" not in committed(paper)["metadata"]["stamp"]

    paper.edit("core/fit.py", "return 2.0", "return 2.001")
    assert run(paper, capsys).startswith("made: executed in ")
    assert committed(paper)["metadata"]["stamp"]["trace"] != stamp["trace"]


def commit(paper: SmallProject) -> None:
    own = "-c user.name=me -c user.email=me@flows.org -c commit.gpgsign=false".split()
    for command in (
        ["init", "--quiet"],
        ["add", "."],
        [*own, "commit", "--quiet", "--message", "all"],
    ):
        subprocess.run(["git", *command], cwd=paper.root, check=True)


def shake(file: Path) -> None:
    """Write losses into the stamp as another CPU would leave them."""
    text = file.read_text("utf-8")
    assert text.count("0.571429") == 1
    file.write_text(text.replace("0.571429", "0.571555"), "utf-8")


def on_another_cpu(paper: SmallProject, run_it: Callable[..., int]) -> None:
    """Run a paper and change its stamp as if that had been on another CPU."""
    assert run_it(paper.root) == 0
    for stamped in ("docs/notebooks/made.ipynb", "implementations/results/made.json"):
        if (file := paper.root / stamped).exists():
            shake(file)
    for path in (paper.root / ".cache" / "traces").iterdir():
        path.unlink()


BOTH = pytest.mark.parametrize(
    "run_it", [notebooks.run, partial(claims.run, seeds=1)], ids=["notebook", "claims"]
)


@pytest.mark.thorough
@BOTH
def test_code_is_compared_on_one_machine_where_git_has_the_code_before(
    paper: SmallProject,
    run_it: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    on_another_cpu(paper, run_it)
    commit(paper)
    paper.edit("core/fit.py", "total + slope() / 7", "(7 * total + slope()) / 7")
    assert run_it(paper.root) == 0
    assert capsys.readouterr().out.splitlines()[-1] == REPLAYED
    paper.edit("core/fit.py", "7 * total", "total * 7")  # nothing was committed
    assert run_it(paper.root) == 0
    assert capsys.readouterr().out.splitlines()[-1] == REPLAYED


@pytest.mark.thorough
@BOTH
def test_another_number_is_told_even_if_another_cpu_had_one_too(
    paper: SmallProject,
    run_it: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    on_another_cpu(paper, run_it)
    commit(paper)
    paper.edit("core/fit.py", "return 2.0", "return 2.001")
    assert run_it(paper.root) == 0
    out = capsys.readouterr().out
    told = "made: losses of fit 1: 0.285857 0.571714 0.857571, before 0.285714 "
    assert told + "0.571429 0.857143" in out
    assert REPLAYED not in out


@pytest.mark.thorough
@BOTH
def test_where_machines_are_of_several_kinds_both_codes_run_on_one(
    paper: SmallProject,
    run_it: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("scripts.cluster.opening.processor", lambda: "")
    on_another_cpu(paper, run_it)
    commit(paper)
    paper.edit("core/fit.py", "total + slope() / 7", "(7 * total + slope()) / 7")
    assert run_it(paper.root) == 0
    assert capsys.readouterr().out.splitlines()[-1] == REPLAYED
    paper.edit("core/fit.py", "return 2.0", "return 2.001")
    assert run_it(paper.root) == 0
    told = "0.285857 0.571714 0.857571, before 0.285714 0.571429 0.857143"
    assert told in capsys.readouterr().out


@pytest.mark.thorough
@BOTH
@pytest.mark.parametrize("why", ["no git", "another code"])
def test_only_the_code_of_the_stamp_is_compared(
    paper: SmallProject,
    run_it: Callable[..., int],
    why: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    on_another_cpu(paper, run_it)
    if why == "another code":  # a commit whose stamps were not those of its code
        paper.edit("core/fit.py", "total + slope() / 7", "slope() / 7 + total")
        commit(paper)
    paper.edit("core/fit.py", "return 2.0", "return 1.0 + 1.0")
    assert run_it(paper.root) == 0
    out = capsys.readouterr().out
    assert ", before 0.285714 0.571555 0.857143" in out
    assert REPLAYED not in out


def test_a_short_run_is_made_once(
    paper: SmallProject, capsys: pytest.CaptureFixture[str]
) -> None:
    run(paper, capsys)
    (kept,) = (paper.root / ".cache" / "traces").iterdir()
    wrong = json.loads(kept.read_text()) | {"text": "remembered"}
    kept.write_text(json.dumps(wrong))
    run(paper, capsys, force=True)
    assert committed(paper)["metadata"]["stamp"]["trace"]["text"] == "remembered"
