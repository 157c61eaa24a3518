"""Execute notebooks, several at once, each in a kernel of its own."""

from __future__ import annotations

import asyncio
import datetime
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from tqdm import tqdm

from scripts.base.files import write_atomic
from scripts.execute import ipynb
from scripts.execute.ipynb import Notebook
from scripts.execute.kernel import session
from scripts.execute.outputs import Output, clean
from scripts.execute.replay import ShortRuns, Stamped
from scripts.execute.trace import Trace
from scripts.papers.cells import CellError, check_syntax
from scripts.papers.fingerprint import Fingerprints

_THREADS = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM")
_BAR = "{desc} |{bar:20}| {n_fmt}/{total_fmt} cells, {elapsed}"


def execute(
    notebooks: Sequence[Notebook],
    root: Path,
    device: str | None,
    jobs: int,
    limit: float,
    force: bool,
) -> int:
    """Replay or execute the notebooks, `jobs` at a time; write each that succeeds.

    Return the exit status: 1 when one failed, which stops no other. Each may take
    `limit` seconds; with `force` none is only replayed. KeyboardInterrupt after SIGINT
    or SIGTERM, all kernels being dead.
    """
    variables = environment(root, device, jobs)
    short = ShortRuns(root, variables, limit)
    batch = _NotebookBatch(root, variables, limit, force, short, _bar(notebooks))
    with batch.bar:
        try:
            return asyncio.run(batch.run(notebooks, jobs))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None


def environment(root: Path, device: str | None, jobs: int) -> dict[str, str]:
    """Return the variables under which kernels run, so that each run is like the last.

    SEED is 0 unless it is set; DEVICE is `device`, or what it was.
    """
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    kept = {name: value for name, value in os.environ.items() if name != "SMOKE"}
    path = [str(root), *filter(None, [kept.get("PYTHONPATH")])]
    return {
        "SEED": "0",
        **kept,
        **{f"{library}_NUM_THREADS": threads for library in _THREADS},
        **({"DEVICE": device} if device else {}),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else it warns of its own debugger
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(path),
    }


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
    environment: dict[str, str]
    limit: float
    force: bool
    short: ShortRuns
    bar: tqdm[Any]
    finished: int = 0
    failed: int = 0

    async def run(self, notebooks: Sequence[Notebook], jobs: int) -> int:
        """Execute all; return the exit status."""
        cancel_on_signals()
        gate = asyncio.Semaphore(jobs)
        clock = asyncio.create_task(self._keep_time())
        async with asyncio.TaskGroup() as group:
            for notebook in notebooks:
                group.create_task(self._one(notebook, len(notebooks), gate))
        clock.cancel()
        return 1 if self.failed else 0

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            self.bar.refresh()

    async def _one(
        self, notebook: Notebook, total: int, gate: asyncio.Semaphore
    ) -> None:
        async with gate:
            outputs: list[list[Output]] = []
            try:
                how = await self._bring_up_to_date(notebook, outputs)
                self.bar.write(f"{notebook.name}: {how}")
            except (CellError, OSError) as error:
                self.failed += 1
                self.bar.write(str(error), file=sys.stderr)
            self.bar.update(len(notebook.code) - len(outputs))
        self.finished += 1
        self.bar.set_description_str(f"{self.finished}/{total} notebooks")

    async def _bring_up_to_date(
        self, notebook: Notebook, outputs: list[list[Output]]
    ) -> str:
        """Bring the notebook up to date; say how."""
        source = (self.root / notebook.file).read_text("utf-8")
        check_syntax(source, notebook.file)
        trace = await self.short.trace(notebook)
        if not self.force and await self._agrees(notebook, trace):
            write_atomic(notebook.path, notebook.replayed(trace, _today()))
            return "replayed, a short run gives the same numbers"
        stamp = await self._execute(notebook, outputs)
        cleaned = clean(notebook.code, outputs, notebook.file)
        stamp |= {"experiments": notebook.experiments, "trace": asdict(trace)}
        write_atomic(notebook.path, notebook.render(cleaned, stamp))
        return f"executed in {stamp['seconds']} s"

    async def _agrees(self, notebook: Notebook, trace: Trace) -> bool:
        stamp = notebook.stamp(int(self.environment["SEED"]))
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

    async def _execute(
        self, notebook: Notebook, outputs: list[list[Output]]
    ) -> dict[str, Any]:
        """Add each cell's outputs as they come; return the stamp."""
        started = monotonic()
        today = _today()
        stamp = {
            "changed": notebook.changed or today,
            "executed": today,
            "fingerprint": notebook.fingerprint,
            "seed": int(self.environment["SEED"]),
        }
        async with session(notebook.file, self.root, self.environment) as kernel:
            deadline = monotonic() + self.limit
            for cell in notebook.code:
                outputs.append(await kernel.run(cell, deadline))
                self.bar.update()
            facts = await kernel.facts()
        return stamp | facts | {"seconds": round(monotonic() - started)}


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def cancel_on_signals() -> None:
    """Cancel this task at the first SIGINT or SIGTERM; ignore impatient ones."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    signals = signal.SIGINT, signal.SIGTERM

    def cancel() -> None:
        for each in signals:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_IGN)
        if task:
            task.cancel()

    for each in signals:
        loop.add_signal_handler(each, cancel)
