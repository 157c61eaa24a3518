"""Execute notebooks on workers, each in a kernel of its own, and keep what succeeds."""

from __future__ import annotations

import asyncio
import datetime
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from scripts.base.files import write_atomic
from scripts.cluster.opening import open_cluster
from scripts.cluster.place import JobLost, Needs, Workplace
from scripts.cluster.running import Cluster, Shared, together
from scripts.cluster.signals import cancel_on_signals
from scripts.execute import ipynb
from scripts.execute.code import pack
from scripts.execute.ipynb import Notebook
from scripts.execute.jobs import Executed, run_whole
from scripts.execute.replay import ShortRuns, Stamped
from scripts.execute.settings import settings
from scripts.execute.trace import Trace
from scripts.papers.cells import CellError, check_syntax
from scripts.papers.fingerprint import Fingerprints

_PACKAGES = ("torch", "numpy", "ipykernel", "nbclient", "distributed")
_BAR = "{desc} |{bar:20}| {n_fmt}/{total_fmt} cells, {elapsed}"


def needs(device: str | None) -> Needs:
    """Return what workers must have to run papers.

    Of several kinds of cards, one paper's seeds would not stand beside each other.
    """
    alike = () if device == "cpu" else ("device",)
    return Needs(("scripts",), _PACKAGES, alike)


def execute(
    notebooks: Sequence[Notebook],
    root: Path,
    device: str | None,
    place: Workplace,
    limit: float,
    force: bool,
) -> int:
    """Replay or execute the notebooks at a place; write each that succeeds.

    Return the exit status: 1 when one failed, which stops no other. Each may take
    `limit` seconds; with `force` none is only replayed. KeyboardInterrupt after SIGINT
    or SIGTERM, all kernels being dead. Raises ClusterError.
    """
    work = _execute(notebooks, root, device, place, limit, force)
    try:
        return asyncio.run(work)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _execute(
    notebooks: Sequence[Notebook],
    root: Path,
    device: str | None,
    place: Workplace,
    limit: float,
    force: bool,
) -> int:
    cancel_on_signals()
    packed = pack(root)
    async with open_cluster(place, needs(device)) as cluster:
        code = cluster.share(packed)
        asked = settings(device, cluster.threads)
        short = ShortRuns(cluster, root, code, asked, limit)
        with _bar(notebooks) as bar:
            batch = _NotebookBatch(root, code, asked, limit, force, cluster, short, bar)
            async with cluster.watched(bar.write):
                return await batch.run(notebooks)


def _bar(notebooks: Sequence[Notebook]) -> tqdm[Any]:
    cells = sum(len(notebook.code) for notebook in notebooks)
    description = f"0/{len(notebooks)} notebooks"
    # Only in a terminal; a log gets the lines of finished notebooks alone.
    return tqdm(
        total=cells, desc=description, bar_format=_BAR, disable=None, leave=False
    )


@dataclass
class _NotebookBatch:
    """Notebooks that are executed together, and what they share."""

    root: Path
    code: Shared
    settings: Mapping[str, str]
    limit: float
    force: bool
    cluster: Cluster
    short: ShortRuns
    bar: tqdm[Any]
    cells: dict[str, int] = field(default_factory=dict)
    finished: int = 0
    failed: int = 0

    async def run(self, notebooks: Sequence[Notebook]) -> int:
        """Execute all; return the exit status."""
        clock = asyncio.create_task(self._keep_time())
        try:
            await together(self._one(each, len(notebooks)) for each in notebooks)
        finally:
            clock.cancel()
        return 1 if self.failed else 0

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            self.bar.refresh()

    async def _one(self, notebook: Notebook, total: int) -> None:
        try:
            how = await self._bring_up_to_date(notebook)
            self.bar.write(f"{notebook.name}: {how}")
        except (CellError, OSError) as error:
            self._fail(str(error))
        except JobLost as error:
            self._fail(f"{notebook.file}: {error}")
        self._hear(notebook, len(notebook.code))
        self.finished += 1
        self.bar.set_description_str(f"{self.finished}/{total} notebooks")

    def _fail(self, why: str) -> None:
        self.failed += 1
        self.bar.write(why, file=sys.stderr)

    def _hear(self, notebook: Notebook, ended: int) -> None:
        """Count the cells that have ended: none, where a worker begins anew."""
        self.cells[notebook.name] = ended
        self.bar.n = sum(self.cells.values())
        self.bar.refresh()

    async def _bring_up_to_date(self, notebook: Notebook) -> str:
        """Bring the notebook up to date; say how."""
        source = (self.root / notebook.file).read_text("utf-8")
        check_syntax(source, notebook.file)
        trace = await self.short.trace(notebook)
        if not self.force and await self._agrees(notebook, trace):
            write_atomic(notebook.path, notebook.replayed(trace, _today()))
            return "replayed, a short run gives the same numbers"
        executed: Executed = await self.cluster.run(
            run_whole,
            self.code,
            notebook.file,
            notebook.code,
            self.settings,
            self.limit,
            name=("notebook", notebook.name),
            hear=lambda ended: self._hear(notebook, ended),
            begun=True,
        )
        stamp = self._stamp(notebook, executed, trace)
        write_atomic(notebook.path, notebook.render(executed.outputs, stamp))
        return f"executed in {executed.seconds} s"

    async def _agrees(self, notebook: Notebook, trace: Trace) -> bool:
        stamp = notebook.stamp(int(self.settings["SEED"]))
        if stamp is None:
            return False
        before = Stamped(
            notebook.path,
            stamp["fingerprint"],
            Trace(**stamp["trace"]),
            lambda folder: (
                ipynb.read(folder, notebook.name, Fingerprints(folder)).fingerprint
            ),
        )
        found = await self.short.difference(trace, before)
        if found:
            self.bar.write(f"{notebook.name}: {found}")
        return not found

    def _stamp(
        self, notebook: Notebook, executed: Executed, trace: Trace
    ) -> dict[str, Any]:
        today = _today()
        return {
            "changed": notebook.changed or today,
            "executed": today,
            "fingerprint": notebook.fingerprint,
            "seed": int(self.settings["SEED"]),
            **executed.facts,
            "seconds": executed.seconds,
            "experiments": notebook.experiments,
            "trace": asdict(trace),
        }


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()
