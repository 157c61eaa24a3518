"""The work of `make notebooks` before and instead of executing."""

from __future__ import annotations

import ast
import importlib.util
import json
import resource
import subprocess
import sys
import time
from types import ModuleType
from typing import Any

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from scripts.base.project import ROOT
from scripts.execute import claims, notebooks
from tests.support.small_project import STAMP, SmallProject

PAPER = """
    # %% [markdown]
    # # A paper

    # %%
    def f(x):
        return x  # as it is

    # %% tags=["plot"]
    if __name__ == "__main__":
        print(f(1))
    """


@pytest.fixture
def papers(project: SmallProject) -> SmallProject:
    """Return a project of three papers with fresh notebooks."""
    for name in ("glow", "made", "maf"):
        project.write(f"{name}.py", PAPER)
    project.commit("glow", "made", "maf")
    return project


@pytest.fixture(autouse=True)
def never_executed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stand in for the execution; collect what would be executed."""
    asked: list[list[str]] = []

    def execute(notebooks: list[Any], *rest: object) -> int:
        asked.append([each.name for each in notebooks])
        return 0

    monkeypatch.setattr("scripts.execute.runner.execute", execute)
    return asked


def test_a_fresh_notebook_is_left_alone(
    papers: SmallProject, never_executed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = papers.path("made").stat()
    assert notebooks.run(papers.root) == 0
    assert capsys.readouterr().out == "glow: fresh\nmade: fresh\nmaf: fresh\n"
    assert papers.path("made").stat() == before
    assert not never_executed


def test_prose_is_refreshed_and_outputs_stay(
    papers: SmallProject, never_executed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = papers.path("made")
    paper = papers.read("made")
    output = {"output_type": "stream", "name": "stdout", "text": "1\n"}
    stamp = STAMP | {"fingerprint": paper.fingerprint}
    path.write_text(paper.render([[], [], [output]], stamp), "utf-8")
    papers.edit("made.py", "# # A paper", "# # Two\n# %% [markdown]\n# cells")
    papers.edit("made.py", "  # as it is", "")
    assert notebooks.status(papers.root)["made"] == "text"
    assert notebooks.run(papers.root, only="made") == 0
    printed = capsys.readouterr().out
    assert printed == "made: prose and comments refreshed, nothing executed\n"
    assert not never_executed
    assert notebooks.status(papers.root)["made"] == "fresh"
    written = nbformat.read(path, as_version=4)
    sources = [cell.source for cell in written.cells[1:]]
    assert sources == ["# Two", "cells", "def f(x):\n    return x", "print(f(1))"]
    assert written.cells[-1].outputs == [output]
    assert written.metadata.stamp == stamp


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace('"fingerprint": "', '"fingerprint": "0'),
        lambda text: text.replace('"stamp"', '"stump"'),
        lambda text: text[:-20],
        lambda text: "<<<<<<< HEAD\n" + text,
        lambda text: "[]",
        lambda text: text.replace(
            '"outputs": []', '"outputs": [{"output_type": "error"}]', 1
        ),
        lambda text: text.replace('"code"', '"raw"', 1),
    ],
    ids=["other", "no stamp", "cut", "conflict", "list", "failed", "cell lost"],
)
def test_a_damaged_notebook_is_stale(papers: SmallProject, damage: Any) -> None:
    path = papers.path("made")
    path.write_text(damage(path.read_text("utf-8")), "utf-8")
    assert papers.stale() == {"made"}


def test_executes_what_is_stale_or_missing_or_forced(
    papers: SmallProject, never_executed: list[list[str]]
) -> None:
    papers.edit("maf.py", "return x", "return -x")
    papers.path("made").unlink()
    notebooks.run(papers.root)
    notebooks.run(papers.root, only="maf, glow")
    notebooks.run(papers.root, only="glow made glow", force=True)
    assert never_executed == [["made", "maf"], ["maf"], ["glow", "made"]]


def test_check_says_what_to_run_and_writes_nothing(
    papers: SmallProject, never_executed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert notebooks.run(papers.root, check=True) == 0
    assert capsys.readouterr().out == ""
    papers.edit("glow.py", "# # A paper", "# # Glow")
    papers.edit("maf.py", "return x", "return -x")
    before = papers.path("glow").read_bytes()
    assert notebooks.run(papers.root, check=True) == 1
    assert capsys.readouterr().out == (
        "docs/notebooks/glow.ipynb: its prose or comments are not those of today's "
        "implementations/glow.py\n"
        "docs/notebooks/maf.ipynb: its outputs are not those of today's "
        "implementations/maf.py\n"
        "Run `make notebooks ONLY=glow,maf`\n"
    )
    assert papers.path("glow").read_bytes() == before
    assert not never_executed


@pytest.mark.parametrize(
    ("only", "hint"),
    [("mde", "did you mean made?"), ("zzz", "there are glow, made, maf")],
)
def test_an_unknown_paper(
    papers: SmallProject, capsys: pytest.CaptureFixture[str], only: str, hint: str
) -> None:
    assert notebooks.run(papers.root, only=f"maf,{only}") == 1
    printed = capsys.readouterr()
    assert printed.err == f"no paper is called {only}: {hint}\n"
    assert not printed.out


def test_a_broken_file_stops_no_other(
    papers: SmallProject,
    never_executed: list[list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    papers.edit("made.py", "return x", "return (x")
    papers.edit("maf.py", "return x", "return -x")
    for check in (False, True):
        assert notebooks.run(papers.root, check=check) == 1
        message = "implementations/made.py:6: SyntaxError: '(' was never closed\n"
        assert capsys.readouterr().err == message
    assert never_executed == [["maf"]]


def test_is_a_valid_notebook(papers: SmallProject) -> None:
    text = papers.path("made").read_text("utf-8")
    made = nbformat.reads(text, as_version=4)
    nbformat.validate(made)
    assert (made.nbformat, made.nbformat_minor) == (4, 5)
    assert [cell.id for cell in made.cells] == [f"cell-0{n}" for n in range(4)]
    counts = [cell.get("execution_count") for cell in made.cells]
    assert counts == [1, None, 2, 3]
    assert made.metadata.kernelspec.name == "python3"
    assert made.cells[3].metadata == {"tags": ["plot"]}
    assert "__main__" not in text
    document = json.loads(text)
    assert json.dumps(document, indent=1, sort_keys=True) + "\n" == text


@pytest.mark.parametrize("installed", [True, False])
def test_the_first_cell_installs_the_project_where_it_is_missing(
    papers: SmallProject, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    first = nbformat.read(papers.path("made"), as_version=4).cells[0]
    assert first.metadata.tags == ["setup"]
    calls = []

    class Shell:
        def run_line_magic(self, *call: object) -> None:
            calls.append(call)

    spec = object() if installed else None
    monkeypatch.setattr(
        importlib.util, "find_spec", {"implementations": spec}.__getitem__
    )
    exec(TransformerManager().transform_cell(first.source), {"get_ipython": Shell})
    install = (
        '--quiet "awesome-normalizing-flows[flows] @ git+https://github.com/me/flows"'
    )
    assert calls == ([] if installed else [("pip", f"install {install}")])


@pytest.mark.thorough
def test_eleven_papers_without_a_change_cost_little(
    project: SmallProject,
) -> None:
    core = ROOT / "implementations" / "core"
    for path in core.glob("*.py"):
        project.write(f"core/{path.name}", path.read_text("utf-8"))
    source = (ROOT / "implementations" / "nice.py").read_text("utf-8")
    while source.count("\n") < 400:
        source += "\n" + source.replace("from __future__ import annotations\n", "")
    names = [f"paper_{letter}" for letter in "abcdefghijk"]
    for name in names:
        project.write(f"{name}.py", source)
        paper = project.read(name)
        picture = {
            "output_type": "display_data",
            "data": {"image/png": "A" * 60_000},
            "metadata": {"image/png": {"alt": "A figure."}},
        }
        outputs = [[picture] if i < 4 else [] for i in range(len(paper.code))]
        project.path(name).parent.mkdir(parents=True, exist_ok=True)
        stamp = STAMP | {"fingerprint": paper.fingerprint}
        project.path(name).write_text(paper.render(outputs, stamp), "utf-8")
    program = (
        "import sys; from pathlib import Path; from scripts import __main__; "
        "from scripts.execute import notebooks; "
        "sys.exit(notebooks.run(Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", program, str(project.root)]
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ran = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime - before.ru_utime)
        assert ran.stdout.count(b": fresh") == 11
    # Processors differ: what counts is how often Python could have read the papers.
    readings = []
    for _ in range(3):
        before = time.process_time()
        for _ in names:
            compile(source, "paper", "exec", ast.PyCF_ONLY_AST)
        readings.append(time.process_time() - before)
    ratio = min(times) / min(readings)
    print(f"\nno change, eleven papers: {min(times):.2f} s, {ratio:.1f} readings")
    # 8 on an idle core; others may be at work on this one.
    assert ratio < 20


@pytest.mark.parametrize("package", ["tqdm", "distributed"])
@pytest.mark.parametrize("command", [notebooks, claims])
def test_says_when_the_means_to_execute_are_missing(
    package: str,
    command: ModuleType,
    papers: SmallProject,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ours = ("scripts.execute.runner", "scripts.execute.claims.repeat")
    for module in (*ours, "scripts.cluster.opening"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.delattr(claims, "repeat", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    assert command.run(papers.root, force=True) == 1
    name = command.__name__.rpartition(".")[2]
    message = f"{package} is missing: run `make {name}` to install it\n"
    assert capsys.readouterr().err == message
