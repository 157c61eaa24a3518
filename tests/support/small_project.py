"""A small project on disk, whose notebooks take no time."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from scripts.base.project import ROOT
from scripts.execute import ipynb, notebooks
from scripts.papers.fingerprint import Fingerprints

STAMP = {
    "changed": "2026-01-01",
    "executed": "2026-01-02",
    "python": "3.11",
    "torch": "2.13.0",
}


@dataclass(frozen=True)
class SmallProject:
    """A project on disk, of papers and the modules that they import."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> SmallProject:
        """Begin a project without papers in an empty folder."""
        (root / "mkdocs.yml").write_text(
            "site_name: Flows\nsite_url: https://flows.org/\n"
            "repo_url: https://github.com/me/flows\n"
        )
        project = cls(root)
        project.write("__init__.py", "")
        return project

    def write(self, path: str, text: str) -> Path:
        """Write a file under implementations/, and the packages above it."""
        file = self.root / "implementations" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if not (package := file.parent / "__init__.py").exists():
            package.touch()
        file.write_text(dedent(text).lstrip("\n"), "utf-8")
        return file

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text that stands in a file once."""
        file = self.root / "implementations" / path
        text = file.read_text("utf-8")
        assert text.count(old) == 1, f"{old!r} in {path}"
        file.write_text(text.replace(old, new), "utf-8")

    def read(self, name: str) -> ipynb.Notebook:
        return ipynb.read(self.root, name, Fingerprints(self.root))

    def path(self, name: str) -> Path:
        return self.root / "docs" / "notebooks" / f"{name}.ipynb"

    def commit(self, *names: str) -> None:
        """Write notebooks as if they had been executed and printed nothing."""
        for name in names:
            paper = self.read(name)
            outputs: list[list[Any]] = [[] for _ in paper.code]
            stamp = STAMP | {"fingerprint": paper.fingerprint}
            self.path(name).parent.mkdir(parents=True, exist_ok=True)
            self.path(name).write_text(paper.render(outputs, stamp), "utf-8")

    def stale(self) -> set[str]:
        """Return the papers whose notebooks would be executed."""
        return {
            n for n, state in notebooks.status(self.root).items() if state == "stale"
        }

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Begin `notebooks.run(root, arguments)` in a process of its own."""
        program = (
            "import sys; from pathlib import Path; "
            "from scripts.execute.notebooks import run; "
            f"sys.exit(run(Path(sys.argv[1]), {', '.join(arguments)}))"
        )
        return subprocess.Popen(
            [sys.executable, "-c", program, str(self.root)],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
