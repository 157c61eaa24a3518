"""What the papers' claims come to over several seeds → implementations/results/.

Each seed runs a paper's whole file; a broken claim is recorded, not raised. Results are
committed with the fingerprint of the code that they came from, plotting left out.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from scripts.files import write_atomic
from scripts.notebook import chosen
from scripts.notebook.cells import CellError, export
from scripts.notebook.execute import environment
from scripts.notebook.fingerprint import PACKAGE, Fingerprints
from scripts.notebook.kernel import FACTS


class RunError(Exception):
    """A run that did not come to its end; says which, and the last thing it said."""


@dataclass(frozen=True)
class Run:
    """One paper's experiments under one seed."""

    paper: str
    seed: int


def run(
    root: Path,
    *,
    only: str = "",
    seeds: int = 5,
    force: bool = False,
    device: str | None = None,
    jobs: int = 2,
) -> int:
    """Repeat the stale papers' claims over seeds 0, 1, …; return the exit status.

    1 when a run failed or a claim was broken under some seed; the results of all
    papers whose runs came to their end are written either way.
    """
    try:
        current = fingerprints(root, chosen(root, only))
    except (CellError, LookupError) as error:
        print(*error.args, file=sys.stderr)
        return 1
    stale = [name for name in current if force or _is_stale(root, name, seeds, current)]
    print(f"{len(current) - len(stale)} up to date, {len(stale)} to run, {seeds} seeds")
    runs = [Run(paper, seed) for paper in stale for seed in range(seeds)]
    failed = 0
    with ThreadPoolExecutor(jobs) as pool:
        variables = environment(root, device, jobs)
        outcomes = pool.map(lambda run: _outcome(root, run, variables), runs)
        bar = iter(tqdm(outcomes, total=len(runs), unit="run", disable=None))
        for paper in stale:
            outcome = [next(bar) for _ in range(seeds)]
            failed |= _record(root, paper, current[paper], outcome)
    return failed


def fingerprints(root: Path, papers: Iterable[str]) -> dict[str, str]:
    """Fingerprints of the papers' code without their figures, by id."""
    code = Fingerprints(root)
    found = {}
    for paper in papers:
        file = f"{PACKAGE}/{paper}.py"
        cells = export((root / file).read_text("utf-8"), file)
        found[paper] = code.of([cell for cell in cells if "plot" not in cell.tags])
    return found


def read(root: Path, paper: str) -> dict[str, Any] | None:
    """Return the paper's committed results, if there are any."""
    path = _path(root, paper)
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def broken(results: dict[str, Any]) -> list[str]:
    """Say which claims did not hold, and under which seeds."""
    complaints = []
    for claim in results["claims"]:
        low = claim["bound"].get("above", float("-inf"))
        high = claim["bound"].get("below", float("inf"))
        for seed, value in zip(results["seeds"], claim["values"], strict=True):
            if not low < value < high:
                complaints.append(f"{claim['text']}: {value:.3g} under seed {seed}")
    return complaints


def _path(root: Path, paper: str) -> Path:
    return root / PACKAGE / "results" / f"{paper}.json"


def _is_stale(root: Path, paper: str, seeds: int, current: dict[str, str]) -> bool:
    results = read(root, paper)
    if results is None or results["fingerprint"] != current[paper]:
        return True
    return len(results["seeds"]) < seeds


def _outcome(
    root: Path, run: Run, variables: dict[str, str]
) -> dict[str, Any] | RunError:
    """Run one seed; return its claims, what it ran on, and its seconds."""
    module = f"{PACKAGE}.{run.paper}"
    source = f"import runpy\nrunpy.run_module({module!r}, run_name='__main__')\n{FACTS}"
    with tempfile.TemporaryDirectory(prefix="claims-") as folder:
        recorded = Path(folder, "claims.jsonl")
        recorded.touch()
        started = time.monotonic()
        process = subprocess.run(
            [sys.executable, "-c", source],
            cwd=folder,
            env={**variables, "SEED": str(run.seed), "CLAIMS_OUT": str(recorded)},
            capture_output=True,
            text=True,
        )
        if process.returncode:
            last = (process.stderr.strip() or "no message").splitlines()[-1]
            return RunError(f"{PACKAGE}/{run.paper}.py, seed {run.seed}: {last}")
        claims = [json.loads(line) for line in recorded.read_text("utf-8").splitlines()]
    facts = json.loads(process.stdout.splitlines()[-1])
    return {
        "claims": claims,
        "facts": facts,
        "seconds": round(time.monotonic() - started),
    }


def _record(
    root: Path,
    paper: str,
    fingerprint: str,
    outcomes: Sequence[dict[str, Any] | RunError],
) -> int:
    """Write one paper's results; return 1 when a run failed or a claim was broken."""
    finished = [outcome for outcome in outcomes if isinstance(outcome, dict)]
    if len(finished) < len(outcomes):
        errors = [str(outcome) for outcome in outcomes if isinstance(outcome, RunError)]
        print(*errors, sep="\n", file=sys.stderr)
        return 1
    facts = finished[0]["facts"]
    results = {
        "fingerprint": fingerprint,
        "executed": datetime.datetime.now(datetime.UTC).date().isoformat(),
        **facts,
        "gpu": "not measured" if facts["device"] == "cpu" else facts["device"],
        "seeds": list(range(len(finished))),
        "seconds": [outcome["seconds"] for outcome in finished],
        "claims": _merged([outcome["claims"] for outcome in finished]),
    }
    path = _path(root, paper)
    os.makedirs(path.parent, exist_ok=True)
    write_atomic(path, json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    complaints = broken(results)
    print(f"{paper}: {len(results['claims'])} claims, {len(complaints)} broken")
    print(*complaints, sep="\n", end="\n" if complaints else "", file=sys.stderr)
    return 1 if complaints else 0


def _merged(runs: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Put the values of each claim, one per seed, side by side."""
    return [
        {
            "text": same[0]["text"],
            "bound": same[0]["bound"],
            "values": [float(f"{claim['value']:.4g}") for claim in same],
        }
        for same in zip(*runs, strict=True)
    ]
