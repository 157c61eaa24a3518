"""A suite of a few tests that is run as ours is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from scripts.base.project import ROOT

SETTINGS = """
[pytest]
addopts = --import-mode=importlib --strict-markers
markers =
    thorough
    long
    sampled
    kinds
"""


def make(folder: Path, **files: str) -> None:
    """Write a suite of these files (room__name=text) with our conftest.py."""
    for name, text in files.items():
        file = folder / "tests" / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "tests")
    (folder / "tests" / "suite").mkdir()
    for path in (ROOT / "tests" / "suite").glob("[!t]*.py"):
        shutil.copy(path, folder / "tests" / "suite")
    (folder / "pytest.ini").write_text(SETTINGS)


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run it, or a part of it."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, "tests"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
