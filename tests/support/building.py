"""Builds of the site as `make site` does them, of this project or of copies of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.base.project import ROOT
from tests.frozen import FROZEN, IMPLEMENTATIONS, LIST

SOURCES = (
    *("mkdocs.yml", "resources.yaml", "links.jsonl", "software.jsonl"),
    *("docs", "scripts", "implementations", "benchmarks"),
)


def build(project: Path, site: Path, **variables: str) -> subprocess.CompletedProcess:
    """Build the project's site into a folder; the caller judges the outcome."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(site)],
        cwd=project,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"} | variables,
        capture_output=True,
        text=True,
    )


def copy_frozen(folder: Path) -> Path:
    """Copy the project, its list and papers replaced by the tests' own."""
    copy_project(folder)
    shutil.copy(LIST, folder)
    shutil.copytree(FROZEN / "docs", folder / "docs", dirs_exist_ok=True)
    (folder / "links.jsonl").write_text("", "utf-8")
    (folder / "software.jsonl").write_text("", "utf-8")
    kept = {"__init__", *(path.stem for path in IMPLEMENTATIONS.glob("*.py"))}
    for pattern in ("implementations/*.py", "docs/notebooks/*.ipynb"):
        for path in folder.glob(pattern):
            if path.stem not in kept:
                path.unlink()
    return folder


def copy_project(folder: Path) -> Path:
    """Copy what a build reads, so that a test may spoil it."""
    folder.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "decisions")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Path of each file below the folder → what it holds."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
