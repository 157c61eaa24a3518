"""Replays: a short run tells whether changed code still gives the same numbers.

A result (an executed notebook, claims over seeds) carries the trace of a short run of
its code. Where today's code leaves the same trace, the result is stamped again instead
of being run for hours (docs/decisions/0012-replays.md). Where it leaves another, the
reason may be another CPU, which rounds differently: the code of the result is taken
from this checkout's git, and both are compared on one machine, or on machines alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from scripts.base.files import write_atomic
from scripts.cluster.running import Cluster, Shared
from scripts.execute import ipynb
from scripts.execute.code import pack
from scripts.execute.earlier import trees
from scripts.execute.ipynb import Notebook
from scripts.execute.jobs import run_both, run_short
from scripts.execute.trace import Trace
from scripts.papers.cells import CellError
from scripts.papers.fingerprint import Fingerprints

CACHE = Path(".cache/traces")


@dataclass(frozen=True)
class Stamped:
    """A result's stamp: the file that bears it, its code, and the trace of that.

    `read` returns the fingerprint of the code in a folder, as the stamp has it.
    """

    file: Path
    fingerprint: str
    trace: Trace
    read: Callable[[Path], str]


@dataclass(frozen=True)
class ShortRuns:
    """Short runs of papers, each made once for notebooks and claims.

    `code` is that of the papers in `root`; `settings` are those of the runs, and
    `limit` the seconds of one. They are remembered in a folder of `home`, or of `root`.
    """

    cluster: Cluster
    root: Path
    code: Shared
    settings: Mapping[str, str]
    limit: float
    home: Path | None = None

    async def trace(self, notebook: Notebook) -> Trace:
        """Run the notebook with SMOKE=1, or recall it; CellError as for any run."""
        path = self._remembered(notebook)
        if path.exists():
            return Trace(**json.loads(path.read_text("utf-8")))
        trace = await self.cluster.run(
            run_short,
            self.code,
            notebook.file,
            notebook.code,
            self.settings,
            self.limit,
            name=("short run", notebook.name),
            begun=self.home is not None,
        )
        with suppress(
            OSError
        ):  # a full disk costs the next command a run, not this one
            write_atomic(path, json.dumps(asdict(trace)))
        return trace

    async def difference(self, now: Trace, stamped: Stamped) -> str:
        """Say in what a trace differs from that of a stamp; "" where in nothing."""
        found = now.difference(stamped.trace)
        if not found:
            return ""
        with closing(trees(stamped.file, stamped.fingerprint, self.root)) as folders:
            for folder in folders:
                with suppress(CellError, OSError):
                    if stamped.read(folder) == stamped.fingerprint:
                        earlier = self._in(folder)
                        return await self._compared(now, earlier, stamped.file.stem)
        return found

    def _in(self, folder: Path) -> ShortRuns:
        code = self.cluster.share(pack(folder))
        return replace(self, root=folder, code=code, home=self.root)

    async def _compared(self, now: Trace, earlier: ShortRuns, paper: str) -> str:
        """Say in what the trace differs from that of earlier code on one machine."""
        if self.cluster.machine:
            before = await earlier.trace(earlier._read(paper))
            return now.difference(before if now.text else before.numbers)
        both = self, earlier
        notebooks = [short._read(paper) for short in both]
        here, before = await self.cluster.run(
            run_both,
            [short.code for short in both],
            notebooks[0].file,
            [notebook.code for notebook in notebooks],
            self.settings,
            self.limit,
            name=("short runs", paper),
            begun=True,
        )
        return (here if now.text else here.numbers).difference(
            before if now.text else before.numbers
        )

    def _read(self, paper: str) -> Notebook:
        return ipynb.read(self.root, paper, Fingerprints(self.root))

    def _remembered(self, notebook: Notebook) -> Path:
        told = [self.settings.get(name, "") for name in ("SEED", "DEVICE")]
        told += [self.cluster.machine]
        key = hashlib.sha256("\0".join([notebook.fingerprint, *told]).encode())
        name = f"{notebook.name}-{key.hexdigest()[:16]}.json"
        return (self.home or self.root) / CACHE / name
