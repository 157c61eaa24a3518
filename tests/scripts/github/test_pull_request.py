"""An ordinary entry, of any kind and date and with any title, leaves all checks green.

It is added to the list that we publish, and what a pull request runs is run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scripts.catalogue import load
from tests.support.contribution import TITLES, commit, contribute, fork

# Where a test may look at the list that we publish; others never do.
ROOMS = ("scripts", "site", "test_architecture.py")
# Flows know no list, and this file would add the same entries again.
LEFT_OUT = ("flows", "papers", "scripts/github/test_pull_request.py")


class Contribution:
    """A clone of the project with new entries, committed."""

    def __init__(self, folder: Path) -> None:
        self.root = fork(folder)
        contribute(self.root)
        commit(self.root, "Add what was missing")

    def run(self, *command: str) -> None:
        """Run a command line in the clone; fails with what it said."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GIT", "MAKE", "MF", "PYTEST", "COVERAGE"))
        }
        ran = subprocess.run(
            command, cwd=self.root, env=kept, capture_output=True, text=True
        )
        assert ran.returncode == 0, f"{command}\n{ran.stdout[-10_000:]}\n{ran.stderr}"

    def make(self, command: str) -> None:
        """Run a `make …` with what is installed here."""
        _, *arguments = command.split()
        installed = (f"BIN={Path(sys.executable).parent}", "-o", ".venv/site")
        self.run("make", *installed, *arguments)

    def pytest(self, *arguments: str) -> None:
        """Run tests of the clone."""
        self.run(sys.executable, "-m", "pytest", "-q", *arguments)


@pytest.fixture
def contribution(tmp_path: Path) -> Contribution:
    return Contribution(tmp_path)


def checks(root: Path) -> list[str]:
    """The commands of the workflow for pull requests."""
    text = (root / ".github" / "workflows" / "check.yml").read_text("utf-8")
    (job,) = yaml.safe_load(text)["jobs"].values()
    return [step["run"] for step in job["steps"] if "run" in step]


@pytest.mark.thorough
def test_new_entries_pass_what_a_pull_request_runs(contribution: Contribution) -> None:
    root = contribution.root
    entries = [*load(root / "resources.yaml", root / "implementations").entries]
    new = [entry for entry in entries if entry.id.startswith("stranger_")]
    assert len(new) == 4 * len(TITLES)
    commands = checks(root)
    assert {"make check", "make site"} < {*commands}
    for command in commands:
        contribution.make(command)
    contribution.pytest("-m", "published", *(f"tests/{room}" for room in ROOMS))


@pytest.mark.long
def test_new_entries_pass_the_whole_suite(contribution: Contribution) -> None:
    contribution.pytest(*(f"--ignore=tests/{room}" for room in LEFT_OUT))
