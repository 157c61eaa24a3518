"""A tag becomes a release where every file that names a version agrees."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from scripts.__main__ import main
from scripts.base.project import ROOT
from scripts.github import release


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose version 1.2.0 is ready to be released."""
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
    (tmp_path / "CITATION.cff").write_text(
        "version: 1.2.0\ndate-released: 2026-11-30\n"
    )
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\nAll.\n\n## 1.2.0 (2026-11-30)\n\n- New.\n\n### Also\n\n"
        "- This.\n\n## 1.1.0 (2026-01-31)\n\n- Old.\n"
    )
    return tmp_path


def test_the_notes_are_the_newest_section_of_the_changelog(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release.run(root, "v1.2.0") == 0
    assert capsys.readouterr() == ("- New.\n\n### Also\n\n- This.\n", "")


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("pyproject.toml", "1.2.0", "1.1.0", "its version is 1.1.0 (make it 1.2.0)"),
        ("CITATION.cff", "1.2.0", "1.1.0", "its version is 1.1.0 (make it 1.2.0)"),
        ("CITATION.cff", "version: 1.2.0", "", "its version is none (make it 1.2.0)"),
        ("CITATION.cff", "-30", "-29", "write date-released: 2026-11-30"),
        (
            "CHANGELOG.md",
            "1.2.0 (2",
            "1.3.0 (2",
            "its version is 1.3.0 (make it 1.2.0)",
        ),
        ("CHANGELOG.md", "2026-11-30", "unreleased", "1.2.0 is unreleased (write the"),
        ("CHANGELOG.md", " (2026-11-30)", "", "its version is none (make it 1.2.0)"),
    ],
)
def test_a_file_that_disagrees_is_named(
    root: Path,
    file: str,
    old: str,
    new: str,
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (root / file).read_text()
    assert text.count(old) == 1
    (root / file).write_text(text.replace(old, new))
    assert release.run(root, "v1.2.0") == 1
    out, err = capsys.readouterr()
    assert out == "" and f"{file}: {told}" in err


@pytest.mark.parametrize("tag", ["1.2.0", "v1.2", "v1.2.0-rc1", "v1.2.0\n"])
def test_a_tag_that_is_no_version_is_refused(root: Path, tag: str) -> None:
    assert release.run(root, tag) == 1


def test_our_own_files_name_one_version(capsys: pytest.CaptureFixture[str]) -> None:
    version = release.built(ROOT)
    assert release.citation(ROOT)["version"] == version
    assert release.newest(ROOT).version == version
    assert main(["release-notes", "v0.0.0"]) == 1
    assert capsys.readouterr().err.startswith("v0.0.0 cannot be released:\n")


@pytest.mark.parametrize(
    "file", ["README.md", "CONTRIBUTING.md", "CITATION.cff", "mkdocs.yml"]
)
def test_both_licences_are_stated(file: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    assert "MIT" in text and "CC0" in text


def test_both_licences_are_there_in_full() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["license"] == "MIT AND CC0-1.0"
    texts = [(ROOT / name).read_text("utf-8") for name in project["license-files"]]
    for text, start in zip(
        texts, ("MIT License\n", "Creative Commons Legal Code\n"), strict=True
    ):
        assert text.startswith(start)


def test_what_is_published_was_built_before(root: Path, tmp_path: Path) -> None:
    """`make release` takes the notes and the wheel, and no other step."""
    shutil.copy(ROOT / "Makefile", root)
    (root / "dist").mkdir()
    (root / "dist" / "flows-1.2.0.whl").touch()
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text('#!/bin/sh\nfor each; do printf "[%s]" "$each"; done\n')
    gh.chmod(0o755)
    variables = {
        k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MF"))
    }
    ran = subprocess.run(
        ["make", "release"],
        cwd=root,
        env=variables | {"TAG": "v1.2.0", "PATH": f"{gh.parent}:{os.environ['PATH']}"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert ran.stdout == (
        "[release][create][v1.2.0][--verify-tag][--title][v1.2.0]"
        "[--notes-file][dist/notes.md][dist/flows-1.2.0.whl]"
    )
