"""Replay papers, or run their whole files once for each seed; keep what finishes.

A broken claim is recorded, not raised.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from scripts.base.files import turn, write_atomic
from scripts.cluster.opening import open_cluster
from scripts.cluster.place import ClusterError, JobLost, Workplace
from scripts.cluster.running import Cluster, Shared, together
from scripts.cluster.signals import cancel_on_signals
from scripts.execute import ipynb
from scripts.execute.claims import results
from scripts.execute.claims.results import (
    CodeFingerprints,
    DifferentClaims,
    Finished,
    Results,
)
from scripts.execute.code import pack
from scripts.execute.jobs import RunError, run_seed
from scripts.execute.notebooks import TIME_LIMIT
from scripts.execute.replay import ShortRuns, Stamped
from scripts.execute.runner import needs
from scripts.execute.settings import settings
from scripts.execute.trace import Trace
from scripts.papers import PACKAGE
from scripts.papers.cells import CellError
from scripts.papers.fingerprint import Fingerprints


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
    task: Task, seeds: Mapping[str, Sequence[int]], device: str | None, place: Workplace
) -> int:
    """Replay papers or run their seeds at a place; return the exit status.

    130 after SIGINT or SIGTERM: finished seeds are kept.
    """
    try:
        return asyncio.run(_run(task, seeds, device, place))
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        pass
    told = "Interrupted: finished seeds are kept, `make claims` runs the others"
    print(told, file=sys.stderr)
    return 130


async def _run(
    task: Task, seeds: Mapping[str, Sequence[int]], device: str | None, place: Workplace
) -> int:
    cancel_on_signals()
    packed = pack(task.root)
    total = sum(map(len, seeds.values()))
    async with open_cluster(place, needs(device)) as cluster:
        code, asked = cluster.share(packed), settings(device, cluster.threads)
        with tqdm(total=total, unit="seed", disable=None, leave=False) as bar:
            batch = _SeedBatch(task, cluster, code, asked, bar)
            async with cluster.watched(bar.write):
                return await batch.run(seeds)


@dataclass(frozen=True)
class _SeedBatch:
    """Runs that are made together, and what they share."""

    task: Task
    cluster: Cluster
    code: Shared
    settings: Mapping[str, str]
    bar: tqdm[Any]
    stamps: dict[str, Results] = field(default_factory=dict)

    async def run(self, seeds: Mapping[str, Sequence[int]]) -> int:
        """Run the papers' seeds; return the exit status."""
        running = (self._paper(paper, some) for paper, some in seeds.items())
        return max(await together(running), default=0)

    async def _paper(self, paper: str, seeds: Sequence[int]) -> int:
        """Replay one paper or run its seeds; return the exit status.

        1 when a run failed or a claim was broken.
        """
        try:
            left = await self._left_after_replay(paper, seeds)
        except (CellError, OSError) as error:
            return self._give_up(seeds, str(error))
        except JobLost as error:
            return self._give_up(seeds, f"{PACKAGE}/{paper}.py: {error}")
        self.bar.total += len(left) - len(seeds)
        return await self._run_all(paper, left) if left else 0

    def _give_up(self, seeds: Sequence[int], why: str) -> int:
        self.bar.update(len(seeds))
        self._complain(why)
        return 1

    async def _left_after_replay(self, paper: str, seeds: Sequence[int]) -> list[int]:
        """Make the paper's short run; return the seeds that are still to be run."""
        task, root = self.task, self.task.root
        code = task.codes[paper]
        asked = {**self.settings, "SEED": "0"}
        short = ShortRuns(self.cluster, root, self.code, asked, TIME_LIMIT)
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
        outcomes = await together(self._seed(paper, seed) for seed in seeds)
        return outcomes.count(False)

    async def _seed(self, paper: str, seed: int) -> bool:
        """Run one seed, keep and tell what came of it; return whether it finished."""
        try:
            finished = await self.cluster.run(
                run_seed,
                self.code,
                paper,
                seed,
                self.settings,
                name=("seed", paper, seed),
                hear=lambda word: self._say(f"{paper}, seed {seed} {word}"),
                begun=True,
            )
            self._keep(paper, finished)
        except (RunError, JobLost, DifferentClaims) as error:
            return self._fail(f"{PACKAGE}/{paper}.py, seed {seed}: {error}")
        except OSError as error:
            return self._fail(str(error))
        self.bar.update()
        self._say(_line(paper, finished))
        return True

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
