"""Every paper's file runs from beginning to end, in smoke mode."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.copies import run_module
from tests.support.papers import PAPERS, ROOT

# Torch takes seconds to import, a paper after it takes none: so once for all papers.
IMPORT = """
import contextlib, importlib, io, json, sys

for paper in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        name = importlib.import_module(f"implementations.{paper}").__name__
    print(json.dumps([paper, name, printed.getvalue()]))
"""


@pytest.mark.sampled
@pytest.mark.parametrize("paper", PAPERS)
def test_runs_as_a_module(paper: str, tmp_path: Path) -> None:
    name = f"implementations.{paper}"
    run = run_module(name, tmp_path, 300, SMOKE="1")
    assert run.code == 0, run.stderr
    # Neither progress bars nor warnings: a notebook would show them.
    assert run.stderr == ""
    assert "(claimed: " in run.stdout


@pytest.fixture(scope="session")
def imported(request: pytest.FixtureRequest) -> dict[str, tuple[str, str]]:
    """Name and output of each paper that this run asks for, imported in turns."""
    name = test_importing_runs_nothing.__name__
    asked = [
        str(item.callspec.params["paper"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == name
    ]
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT, *asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    return {
        paper: (name, out)
        for paper, name, out in map(json.loads, run.stdout.splitlines())
    }


@pytest.mark.parametrize("paper", PAPERS)
def test_importing_runs_nothing(
    paper: str, imported: dict[str, tuple[str, str]]
) -> None:
    assert imported[paper] == (f"implementations.{paper}", "")
