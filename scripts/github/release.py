"""A release: tag, pyproject.toml, CITATION.cff and CHANGELOG.md are of one mind."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import yaml


class Release(NamedTuple):
    """The newest section of CHANGELOG.md: its version, its day, and what changed."""

    version: str
    day: str
    notes: str


def run(root: Path, tag: str) -> int:
    """Print the notes of a release; return 1 where its files do not name it."""
    faults = disagreements(root, tag)
    if faults:
        print(f"{tag} cannot be released:", *faults, sep="\n", file=sys.stderr)
        return 1
    print(newest(root).notes)
    return 0


def disagreements(root: Path, tag: str) -> list[str]:
    """Say which files do not name the version of the tag, or not its day."""
    version, changes, cited = tag.removeprefix("v"), newest(root), citation(root)
    said = {
        "pyproject.toml": built(root),
        "CITATION.cff": cited.get("version", "none"),
        "CHANGELOG.md": changes.version,
    }
    faults = [
        f"{file}: its version is {other} (make it {version})"
        for file, other in said.items()
        if other != version
    ]
    if not re.fullmatch(r"v\d+\.\d+\.\d+", tag):
        faults.append(f"the tag: {tag} is no version (write it as in v1.2.0)")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", changes.day):
        fix = "write the day of the release in its place"
        faults.append(f"CHANGELOG.md: {changes.version} is {changes.day} ({fix})")
    elif cited.get("date-released") != changes.day:
        faults.append(f"CITATION.cff: write date-released: {changes.day}")
    return faults


def built(root: Path) -> str:
    """Return the version of pyproject.toml."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    return project["version"]


def citation(root: Path) -> dict[str, str]:
    """Read CITATION.cff, every value as it is written."""
    text = (root / "CITATION.cff").read_text("utf-8")
    return yaml.load(text, Loader=yaml.BaseLoader)


def newest(root: Path) -> Release:
    """Read the first section of CHANGELOG.md, headed "## 1.2.0 (2026-11-30)"."""
    text = (root / "CHANGELOG.md").read_text("utf-8")
    _, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    head, _, notes = (sections or [""])[0].partition("\n")
    named = re.fullmatch(r"(\S+) \((\S+)\)", head)
    if not named:
        return Release("none", "not dated", "")
    return Release(named[1], named[2], notes.strip())
