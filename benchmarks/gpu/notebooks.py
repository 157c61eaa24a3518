"""Three papers' files with DEVICE=cuda, all at once: their claims and their seconds.

A paper's file is its notebook, figures included. It is run as `make claims` does, so
that a broken claim is recorded and stops nothing; the committed notebooks stay.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from benchmarks.gpu import words
from benchmarks.gpu.parts import Emit, Place

# Images by convolutions, densities by autoregression, and what all build on.
PAPERS = ("nice", "glow", "maf")


def run(place: Place, emit: Emit) -> None:
    """Run the files, and hand over each as it ends."""
    papers = PAPERS[:1] if place.smoke else PAPERS
    with ThreadPoolExecutor(len(papers)) as pool:
        running = {pool.submit(ran, paper): paper for paper in papers}
        for done in as_completed(running):
            with words.left_out_if_it_fails(running[done], emit):
                row = done.result()
                emit(row)
                print(f"{row['paper']}: {row['seconds']} s", flush=True)


def ran(paper: str) -> dict[str, Any]:
    """Run one paper's file to its end.

    Raises:
        RuntimeError: when it fails, with the last thing that it said.
    """
    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        recorded = Path(folder, "claims.jsonl")
        recorded.touch()
        started = time.monotonic()
        process = subprocess.run(
            [sys.executable, "-m", f"implementations.{paper}"],
            cwd=folder,
            env=os.environ | {"SEED": "0", "CLAIMS_OUT": str(recorded)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        seconds = round(time.monotonic() - started)
        if process.returncode:
            print(process.stderr, file=sys.stderr, flush=True)
            said = process.stderr.strip().splitlines() or ["no message"]
            raise RuntimeError(said[-1])
        claims = map(json.loads, recorded.read_text("utf-8").splitlines())
        return {
            "paper": paper,
            "seconds": seconds,
            "claims": [_claim(**claim) for claim in claims],
        }


def _claim(text: str, bound: dict[str, float], value: float) -> dict[str, Any]:
    bounds = {side: bound.get(side) for side in ("above", "below")}
    return {"text": text, "value": float(f"{value:.4g}"), **bounds}
