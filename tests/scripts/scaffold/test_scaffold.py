"""A drafted implementation is whole: it lints, runs, and stands in the contract."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.add.listing import Listing
from scripts.base import files
from scripts.base.files import write_atomic
from scripts.base.project import ROOT
from scripts.catalogue import CatalogueError, load
from scripts.scaffold import run, scaffold
from scripts.scaffold.checking import show_what_is_lacking
from tests.papers.test_shape import stray


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what a draft joins."""
    for name in ("implementations", "tests/flows", "tests/papers"):
        shutil.copytree(
            ROOT / name,
            tmp_path / name,
            ignore=shutil.ignore_patterns("__pycache__", "results"),
        )
    for name in (
        *("resources.yaml", "pyproject.toml", "mkdocs.yml", "docs/compare.md"),
        *(f"benchmarks/results/{f}.json" for f in ("flows", "gaps", "exactness")),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def wanted(tree: Path, name: str = "draft_7") -> str:
    """The id of a paper that has no implementation, however many are written."""
    today = datetime.datetime.now(datetime.UTC).date()
    file = tree / "resources.yaml"
    listing = Listing.read(file, tree / "implementations", today)
    paper = {
        "id": name,
        "title": r'A "Flow" \ {{ 7 }} % of $x$: """' + ", very long" * 9,
        "authors": [r"Ada \Lovelace", '"""', *(f"Many N{n}" for n in range(30))],
        "date": "2016-01-01",
        "url": "https://example.org/" + "7" * 90,
        "tags": ["review"],
        "added": "2026-11-23",
        "implementation": "wanted",
        "note": "A draft.",
    }
    file.write_text(listing.joined("publications", paper)[0], "utf-8")
    return name


def python(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=os.environ | {"SMOKE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize(
    "name", ["draft_7", "a_name_of_many_words_" + "x" * 30, "zeta_flow"]
)
def test_a_draft_is_whole_and_lints(tree: Path, name: str) -> None:
    wanted(tree, name)
    before = (tree / "resources.yaml").read_text("utf-8")
    assert run(tree, name) == 0
    after = (tree / "resources.yaml").read_text("utf-8")
    head, itself, tail = before.partition(f"  - id: {name}\n")
    tail = tail.replace("    implementation: wanted\n", "", 1)
    assert after == head + itself + tail
    load(tree / "resources.yaml", tree / "implementations")

    module = tree / "implementations" / f"{name}.py"
    assert stray(module.read_text("utf-8")) == []
    for check in (["check"], ["format", "--check"]):
        linted = python(tree, "-m", "ruff", *check, "--no-cache", ".")
        assert linted.returncode == 0, linted.stdout


def test_what_a_draft_lacks_is_listed(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = wanted(tree)
    assert run(tree, name) == 0
    told = capsys.readouterr().out
    assert '\nresources.yaml written, without "implementation: wanted": there' in told
    assert "\nmake test PAPER=draft_7 runs its own tests" in told
    assert show_what_is_lacking(tree, name) == 6
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "draft_7 lacks, in the order to do it:"
    assert [line.split(":")[0].strip() for line in lines] == [
        "implementations/draft_7.py",
        "docs/reference/examples/draft_7.py",
        "implementations/results/draft_7.json",
        "docs/notebooks/draft_7.ipynb",
        "docs/compare.md",
        "implementations/registrations/draft_7.py",
    ]


@pytest.mark.parametrize(
    ("title", "heading"),
    [
        ("FFJORD: Free-form Continuous Dynamics", "FFJORD"),
        ("Improving Auto-Encoders using Householder Flow", "Draft 7"),
        ("A very long beginning of a title: and its end", "Draft 7"),
    ],
)
def test_a_draft_has_a_short_name(tree: Path, title: str, heading: str) -> None:
    name = wanted(tree)
    file = tree / "resources.yaml"
    before = file.read_text("utf-8")
    head, itself, tail = before.partition(f"  - id: {name}\n")
    tail = re.sub("title: .*", f'title: "{title}"', tail, count=1)
    file.write_text(head + itself + tail, "utf-8")
    assert run(tree, name) == 0
    source = (tree / "implementations" / f"{name}.py").read_text("utf-8")
    assert source.startswith(f"# %% [markdown]\n# # {heading}: what it does\n")


def test_a_draft_cites_surnames(tree: Path) -> None:
    name = wanted(tree)
    file = tree / "resources.yaml"
    head, itself, tail = file.read_text("utf-8").partition(f"  - id: {name}\n")
    people = '["Martin King, Jr.", Rianne van den Berg, {organisation: "Foo, Inc."}]'
    before, _, after = tail.partition("    authors:\n")
    after = re.sub(r"\A(?: +- .*\n)+", "", after)
    file.write_text(f"{head}{itself}{before}    authors: {people}\n{after}", "utf-8")
    assert run(tree, name) == 0
    facts = (tree / f"tests/papers/{name}/test_facts.py").read_text("utf-8")
    assert facts.startswith('"""Facts of King, van den Berg and Foo, Inc. (2016)."""')


@pytest.mark.thorough
def test_a_draft_runs(tree: Path) -> None:
    name = wanted(tree)
    assert run(tree, name) == 0
    ran = python(tree, "-W", "error", "-m", f"implementations.{name}")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "(claimed: above 1 and below 1.2)" in ran.stdout


@pytest.mark.thorough
def test_a_draft_keeps_every_promise(tree: Path) -> None:
    name = wanted(tree)
    assert run(tree, name) == 0
    shutil.copy(ROOT / "tests/conftest.py", tree / "tests")
    for folder in ("tests/suite", "tests/support", "scripts"):
        shutil.copytree(ROOT / folder, tree / folder)
    asked = [f"tests/flows/test_contract{end}.py" for end in ("", "_tools")]
    own = [f"tests/papers/{name}", "tests/papers/test_form.py"]
    left = ["-k", "not thumbnail and not phone"]  # nothing was executed yet
    ran = python(tree, "-m", "pytest", "-q", f"--paper={name}", *asked, *own, *left)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "skipped" not in ran.stdout


@pytest.mark.long
def test_a_draft_is_typed(tree: Path) -> None:
    name = wanted(tree)
    assert run(tree, name) == 0
    file = f"implementations/{name}.py"
    checked = python(
        tree, "-m", "pyright", "--warnings", "--pythonpath", sys.executable, file
    )
    assert checked.returncode == 0, checked.stdout


def contents(tree: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in tree.rglob("*.*") if path.is_file()}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nice", "implementations/nice.py is there already (edit it)"),
        ("nic", 'no publication has the id "nic" (did you mean "nice"?)'),
        (
            "video_gnf",
            '"video_gnf" is under Videos: only publications have implementations '
            "(it is about gnf)",
        ),
        ("blog_weng", '"blog_weng" is under Posts and courses: only publications have'),
        ("code_pymc", '"code_pymc" is under Code: only publications have'),
        ("../nice", 'no publication has the id "../nice"'),
    ],
)
def test_what_cannot_be_drafted_is_refused(
    tree: Path, name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(tree)
    assert run(tree, name) == 1
    assert f"Nothing is written: {message}" in capsys.readouterr().err
    assert contents(tree) == before


@pytest.mark.parametrize(
    "file",
    [
        "tests/papers/draft_7/test_exercises.py",
        "tests/papers/draft_7/test_facts.py",
        "implementations/registrations/draft_7.py",
        "docs/reference/examples/draft_7.py",
    ],
)
def test_what_is_there_is_not_overwritten(
    file: str, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = wanted(tree)
    write_atomic(tree / file, "kept")
    before = contents(tree)
    assert run(tree, name) == 1
    assert f"{file} is there already" in capsys.readouterr().err
    assert contents(tree) == before


def test_what_cannot_be_edited_as_text_is_left_to_its_author(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, file = wanted(tree), tree / "resources.yaml"
    head, itself, tail = file.read_text("utf-8").partition(f"  - id: {name}\n")
    tail = tail.replace("implementation: wanted", "implementation:\n      wanted", 1)
    file.write_text(head + itself + tail, "utf-8")
    before = contents(tree)
    assert run(tree, name) == 1
    expected = 'expected the line "implementation: wanted" alone'
    assert expected in capsys.readouterr().err
    assert contents(tree) == before


@pytest.mark.parametrize("replaced", [0, 1, 2, 3, 4, 5])
def test_who_was_interrupted_runs_it_again(
    tree: Path, replaced: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many of the six files were in their place."""
    name = wanted(tree)
    whole = {path: text.encode() for path, text in scaffold(tree, name).items()}
    replace, waiting = os.replace, iter(range(replaced))

    def interrupted(*paths: str) -> None:
        if next(waiting, None) is None:
            raise KeyboardInterrupt
        replace(*paths)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(files.os, "replace", interrupted)
        run(tree, name)
    if replaced == 5:  # all but one line, which is pointed at
        with pytest.raises(CatalogueError, match=r'is "wanted", .* \(remove the line'):
            run(tree, name)
    else:
        assert run(tree, name) == 0
        after = contents(tree)
        assert {path: after[path] for path in whole} == whole
        assert not list(tree.rglob("*.tmp"))


def test_drafting_twice_is_refused(tree: Path) -> None:
    name = wanted(tree)
    assert run(tree, name) == 0
    before = contents(tree)
    assert run(tree, name) == 1
    assert contents(tree) == before
