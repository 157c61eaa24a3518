"""Replay papers, or run their whole files once for each seed; keep what finishes.

A broken claim is recorded, not raised.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from scripts.base.files import turn, write_atomic
from scripts.execute import ipynb
from scripts.execute.claims import results
from scripts.execute.claims.results import (
    CodeFingerprints,
    DifferentClaims,
    Finished,
    Results,
)
from scripts.execute.kernel import FACTS
from scripts.execute.notebooks import TIME_LIMIT
from scripts.execute.replay import ShortRuns, Stamped
from scripts.execute.runner import cancel_on_signals, environment
from scripts.execute.trace import Trace
from scripts.papers import PACKAGE
from scripts.papers.cells import CellError
from scripts.papers.fingerprint import Fingerprints


class RunError(Exception):
    """A run that did not come to its end; says which, and the last thing it said."""


@dataclass(frozen=True)
class Task:
    """The papers to be measured, by their code, each with seeds below `seeds`.

    `here` is what runs are known to run on; with `force` nothing is only replayed.
    """

    root: Path
    codes: Mapping[str, CodeFingerprints]
    here: Mapping[str, str]
    seeds: int
    force: bool


def run(
    task: Task, seeds: Mapping[str, Sequence[int]], device: str | None, jobs: int
) -> int:
    """Replay papers or run their seeds, `jobs` at once; return the exit status.

    KeyboardInterrupt after SIGINT or SIGTERM: finished seeds are kept.
    """
    variables = environment(task.root, device, jobs)
    total = sum(map(len, seeds.values()))
    with tqdm(total=total, unit="seed", disable=None, leave=False) as bar:
        batch = _SeedBatch(task, variables, asyncio.Semaphore(jobs), bar)
        try:
            return asyncio.run(batch.run(seeds))
        except asyncio.CancelledError:
            pass
    told = "Interrupted: finished seeds are kept, `make claims` runs the others"
    print(told, file=sys.stderr)
    return 130


@dataclass(frozen=True)
class _SeedBatch:
    """Runs that are made together, and what they share."""

    task: Task
    variables: dict[str, str]
    gate: asyncio.Semaphore
    bar: tqdm[Any]
    stamps: dict[str, Results] = field(default_factory=dict)

    async def run(self, seeds: Mapping[str, Sequence[int]]) -> int:
        """Run the papers' seeds; return the exit status."""
        cancel_on_signals()
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(self._paper(paper, some))
                for paper, some in seeds.items()
            ]
        return max((task.result() for task in running), default=0)

    async def _paper(self, paper: str, seeds: Sequence[int]) -> int:
        """Replay one paper or run its seeds; return the exit status.

        1 when a run failed or a claim was broken.
        """
        try:
            left = await self._left_after_replay(paper, seeds)
        except (CellError, OSError) as error:
            self.bar.update(len(seeds))
            self._complain(str(error))
            return 1
        self.bar.total += len(left) - len(seeds)
        return await self._run_all(paper, left) if left else 0

    async def _left_after_replay(self, paper: str, seeds: Sequence[int]) -> list[int]:
        """Make the paper's short run; return the seeds that are still to be run."""
        task, root = self.task, self.task.root
        code = task.codes[paper]
        short = ShortRuns(root, {**self.variables, "SEED": "0"}, TIME_LIMIT)
        async with self.gate:
            trace = await short.trace(ipynb.read(root, paper, Fingerprints(root)))
            stamp = self.stamps[paper] = results.stamp(code, trace)
            before = None if task.force else await self._same(paper, short)
        with turn(root):
            # Another command may have run seeds meanwhile.
            after = results.read(root, paper)
            if not before or not after or before["fingerprint"] != after["fingerprint"]:
                return list(seeds)
            after = results.replayed(after, stamp)
            self._write(paper, after)
        self._say(f"{paper}: replayed, a short run gives the same numbers")
        return results.left_to_run(after, code, task.here, task.seeds)

    async def _same(self, paper: str, short: ShortRuns) -> Results | None:
        """Return the results if they are those of other code with the same numbers."""
        root, stamp = self.task.root, self.stamps[paper]
        before = results.read(root, paper)
        if before is None or before["fingerprint"] == stamp["fingerprint"]:
            return None
        if before.get("experiments") != stamp["experiments"]:
            return None
        stamped = Stamped(
            results.path(root, paper),
            before["fingerprint"],
            Trace(**before["trace"]),
            lambda folder: results.codes(folder, [paper])[paper].fingerprint,
        )
        found = await short.difference(Trace(**stamp["trace"]), stamped)
        if found:
            self._say(f"{paper}: {found}")
        return None if found else before

    async def _run_all(self, paper: str, seeds: Sequence[int]) -> int:
        before = results.read(self.task.root, paper)
        failed = await self._seeds(paper, seeds)
        if failed == len(seeds):
            return 1
        after = results.read(self.task.root, paper)
        if dropped := _dropped(before, after, seeds):
            self._say(
                f"{paper}: seeds {', '.join(map(str, dropped))} had run on another "
                "device, and are run again"
            )
            self.bar.total += len(dropped)
            failed += await self._seeds(paper, dropped)
            after = results.read(self.task.root, paper)
        assert after  # since a seed has finished
        complaints = results.broken(after)
        numbers = f"claims {len(after['claims'])}, seeds {len(after['seeds'])}"
        self._say(f"{paper}: {numbers}, broken {len(complaints)}")
        self._complain(*complaints)
        return 1 if complaints or failed else 0

    async def _seeds(self, paper: str, seeds: Sequence[int]) -> int:
        """Run one paper's seeds; return how many failed."""
        outcomes = await asyncio.gather(*(self._seed(paper, seed) for seed in seeds))
        return outcomes.count(False)

    async def _seed(self, paper: str, seed: int) -> bool:
        """Run one seed, keep and tell what came of it; return whether it finished."""
        async with self.gate:
            self._say(f"{paper}, seed {seed} starts")
            with tempfile.TemporaryDirectory(prefix="claims-") as folder:
                try:
                    finished = await self._run(paper, seed, Path(folder))
                    self._keep(paper, finished)
                except (RunError, DifferentClaims) as error:
                    return self._fail(f"{PACKAGE}/{paper}.py, seed {seed}: {error}")
                except OSError as error:
                    return self._fail(str(error))
        self.bar.update()
        self._say(_line(paper, finished))
        return True

    async def _run(self, paper: str, seed: int, folder: Path) -> Finished:
        source = (
            "import runpy\n"
            f"runpy.run_module('{PACKAGE}.{paper}', run_name='__main__')\n{FACTS}"
        )
        recorded = folder / "claims.jsonl"
        recorded.touch()
        started = time.monotonic()
        own = {"SEED": str(seed), "CLAIMS_OUT": str(recorded)}
        status, out, err = await _run_command(
            sys.executable, "-c", source, cwd=folder, env=self.variables | own
        )
        if status:
            raise RunError((err.strip() or "no message").splitlines()[-1])
        lines = recorded.read_text("utf-8").splitlines()
        return Finished(
            seed,
            round(time.monotonic() - started),
            [json.loads(line) for line in lines],
            json.loads(out.splitlines()[-1]),
        )

    def _keep(self, paper: str, finished: Finished) -> None:
        # Another command may have finished a seed of the same paper meanwhile.
        with turn(self.task.root):
            before = results.read(self.task.root, paper)
            self._write(paper, results.with_seed(before, self.stamps[paper], finished))

    def _write(self, paper: str, after: Results) -> None:
        text = json.dumps(after, indent=2, ensure_ascii=False)
        write_atomic(results.path(self.task.root, paper), f"{text}\n")

    def _fail(self, why: str) -> bool:
        self.bar.update()
        self._complain(why)
        return False

    def _say(self, line: str) -> None:
        self.bar.write(line)
        sys.stdout.flush()  # a log shows it now, too

    def _complain(self, *lines: str) -> None:
        for line in lines:
            self.bar.write(line, file=sys.stderr)


def _line(paper: str, finished: Finished) -> str:
    """Say how one seed went."""
    broken = [
        claim["text"]
        for claim in finished.claims
        if not results.holds(claim, claim["value"])
    ]
    number = len(finished.claims)
    line = f"{paper}, seed {finished.seed}: {finished.seconds} s, "
    line += f"{number - len(broken)} of {number} claims hold"
    return f"{line}; not: {'; '.join(broken)}" if broken else line


def _dropped(
    before: Results | None, after: Results | None, run: Sequence[int]
) -> list[int]:
    """Return the seeds that results lost because these were run on another device.

    Only a run can tell which device it uses.
    """
    if before is None or after is None:
        return []
    same = ("fingerprint", "python", "torch")
    if any(before[name] != after[name] for name in same):
        return []
    return sorted({*before["seeds"]} - {*after["seeds"]} - {*run})


async def _run_command(
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
