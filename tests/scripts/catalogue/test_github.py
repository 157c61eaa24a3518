"""On GitHub each fault stands at its line of the diff, and README.md is explained."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.__main__ import main
from scripts.base.project import ROOT
from scripts.catalogue import load

EDITED = "is generated: edit resources.yaml instead, then run `make readme`"


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the list, README.md up to date."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    shutil.copy(ROOT / "resources.yaml", tmp_path)
    (tmp_path / "implementations").symlink_to(ROOT / "implementations")
    assert main(["readme"]) == 0
    git("init", "--quiet")
    git("add", ".")
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    git(*identity, "commit", "--quiet", "--message", "The list", "--no-gpg-sign")
    return tmp_path


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True)


def edit(file: str, old: str, new: str) -> None:
    path = Path(file)
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize("value", ["", "true"])
def test_faults_of_the_catalogue_are_annotations_on_github(
    clone: Path,
    value: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", value)
    edit("resources.yaml", "2015-02-12", "2015-02-30")
    edit("resources.yaml", "[Lilian Weng]", "[Lilian Weng et al.]")
    capsys.readouterr()
    with pytest.raises(SystemExit, match="1"):
        main(["check"])
    out, err = capsys.readouterr()
    lines = Path("resources.yaml").read_text("utf-8").split("\n")
    dated = lines.index("    date: 2015-02-30") + 1
    named = lines.index("    authors: [Lilian Weng et al.]") + 1
    assert f"resources.yaml:{dated}:11: made, date: " in err
    annotations = (
        [
            f"::error file=resources.yaml,line={dated},col=11::made, date: 2015-02-30 "
            "is not in the calendar (check year, month and day)",
            f"::error file=resources.yaml,line={named},col=15::blog_weng, authors #1: "
            '"Lilian Weng et al." leaves authors out (name every author, one per item)',
        ]
        if value
        else []
    )
    assert out.splitlines() == annotations


def test_an_untouched_readme_may_be_behind_the_catalogue(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit("resources.yaml", "title: Neural Spline Flows", "title: Neural Splines")
    capsys.readouterr()
    assert main(["readme", "--since", "HEAD"]) == 0
    assert capsys.readouterr().out == "README.md has not changed since HEAD\n"
    assert main(["readme", "--check"]) == 1


def test_a_regenerated_readme_may_change(clone: Path) -> None:
    edit("resources.yaml", "title: Neural Spline Flows", "title: Neural Splines")
    assert main(["readme"]) == 0
    assert main(["readme", "--since", "HEAD"]) == 0


@pytest.mark.parametrize("catalogue_too", [False, True])
def test_whoever_edits_the_readme_is_told_which_file_to_edit(
    clone: Path,
    catalogue_too: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    edit("README.md", "[Neural Spline Flows]", "[Neural Splines]")
    edit("README.md", "## 🧑‍💻 Code", "## Code: 100%")
    if catalogue_too:
        edit("resources.yaml", "MADE: Masked", "MADE: Masking")
    edited = Path("README.md").read_text("utf-8")
    line = edited[: edited.index("[Neural Splines]")].count("\n") + 1
    capsys.readouterr()
    assert main(["readme", "--since", "HEAD"]) == 1
    out, err = capsys.readouterr()
    assert f"README.md {EDITED}" in err
    assert f"::error file=README.md,line={line},col=1::README.md: is generated" in out
    assert out.count("::error ") == 2 + catalogue_too
    assert Path("README.md").read_text("utf-8") == edited


def test_a_commit_that_is_not_there_is_no_success(
    clone: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["readme", "--since", "nowhere"]) > 1
    assert "git knows no nowhere" in capfd.readouterr().err
    assert main(["readme", "--since=--output=x"]) > 1
    assert not Path("x").exists()


def test_contributing_fits_a_screen_and_its_example_is_an_entry(clone: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert len(text.splitlines()) <= 45
    assert text.count("\n## ") == 2
    example = text.split("```yaml\n")[1].split("```")[0]
    head = "tags: {coupling: Halves}\npublications:\n"
    file = Path("resources.yaml")
    file.write_text(f"{head}{example}\nvideos: []\nblogs: []\ncode: []\n", "utf-8")
    load(file, Path("nowhere"), datetime.date(2026, 11, 30))
