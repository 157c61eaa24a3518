"""Every paper's file runs from beginning to end, in smoke mode."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.papers import PAPERS, ROOT


@pytest.mark.parametrize("paper", PAPERS)
def test_runs_as_a_module(paper: str) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", f"implementations.{paper}"],
        cwd=ROOT,
        env=os.environ | {"SMOKE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    # Neither progress bars nor warnings: a notebook would show them.
    assert run.stderr == ""
    assert "(claimed: " in run.stdout


@pytest.mark.parametrize("paper", PAPERS)
def test_importing_runs_nothing(paper: str) -> None:
    command = f"import time, implementations.{paper} as m; print(m.__name__)"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.stdout == f"implementations.{paper}\n", run.stderr
