"""What the papers' claims come to over several seeds → implementations/results/.

Each seed runs a paper's whole file; a broken claim is recorded, not raised. Results are
committed with the fingerprint of the code that they came from, plotting left out.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import Iterable, Mapping, Sequence
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
    with tqdm(total=len(stale) * seeds, unit="run", disable=None) as bar:
        variables, gate = environment(root, device, jobs), asyncio.Semaphore(jobs)
        batch = _Batch(root, variables, gate, bar)
        return asyncio.run(batch.run({name: current[name] for name in stale}, seeds))


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


@dataclass(frozen=True)
class _Batch:
    """Runs that are made together, and what they share."""

    root: Path
    variables: dict[str, str]
    gate: asyncio.Semaphore
    bar: tqdm[Any]

    async def run(self, papers: Mapping[str, str], seeds: int) -> int:
        """Run papers, given with their fingerprints; return the exit status."""
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(self._paper(paper, fingerprint, seeds))
                for paper, fingerprint in papers.items()
            ]
        return max((task.result() for task in running), default=0)

    async def _paper(self, paper: str, fingerprint: str, seeds: int) -> int:
        runs = [self._outcome(Run(paper, seed)) for seed in range(seeds)]
        outcomes = await asyncio.gather(*runs)
        try:
            return _record(self.root, paper, fingerprint, outcomes)
        except OSError as error:
            print(error, file=sys.stderr)
            return 1

    async def _outcome(self, run: Run) -> dict[str, Any] | RunError:
        """Run one seed; return its claims, what it ran on, and its seconds."""
        async with self.gate:
            with tempfile.TemporaryDirectory(prefix="claims-") as folder:
                outcome = await self._run(run, Path(folder))
        self.bar.update()
        return outcome

    async def _run(self, run: Run, folder: Path) -> dict[str, Any] | RunError:
        source = (
            "import runpy\n"
            f"runpy.run_module('{PACKAGE}.{run.paper}', run_name='__main__')\n{FACTS}"
        )
        recorded = folder / "claims.jsonl"
        recorded.touch()
        started = time.monotonic()
        own = {"SEED": str(run.seed), "CLAIMS_OUT": str(recorded)}
        status, out, err = await _said(
            sys.executable, "-c", source, cwd=folder, env=self.variables | own
        )
        if status:
            last = (err.strip() or "no message").splitlines()[-1]
            return RunError(f"{PACKAGE}/{run.paper}.py, seed {run.seed}: {last}")
        lines = recorded.read_text("utf-8").splitlines()
        return {
            "claims": [json.loads(line) for line in lines],
            "facts": json.loads(out.splitlines()[-1]),
            "seconds": round(time.monotonic() - started),
        }


async def _said(
    *command: str, cwd: Path, env: Mapping[str, str]
) -> tuple[int | None, str, str]:
    """Run a command to its end, or kill it when this is cancelled.

    Return its exit status and what it wrote.
    """
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=env, stdout=PIPE, stderr=PIPE
    )
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, out.decode("utf-8"), err.decode("utf-8")


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
    text = json.dumps(results, indent=2, ensure_ascii=False)
    write_atomic(_path(root, paper), f"{text}\n")
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
