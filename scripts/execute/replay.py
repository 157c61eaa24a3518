"""Replays: a short run tells whether changed code still gives the same numbers.

A result (an executed notebook, claims over seeds) carries the trace of a short run of
its code. Where today's code leaves the same trace, the result is stamped again instead
of being run for hours (docs/decisions/0012-replays.md). Where it leaves another, the
reason may be another CPU, which rounds differently: the code of the result is taken
from git, and both are compared on this machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic

from scripts.base.files import write_atomic
from scripts.execute import ipynb
from scripts.execute.earlier import trees
from scripts.execute.ipynb import Notebook
from scripts.execute.kernel import session
from scripts.execute.outputs import Output, clean
from scripts.execute.trace import Trace
from scripts.papers.cells import CellError
from scripts.papers.fingerprint import Fingerprints

CACHE = Path(".cache/traces")
# Every call of `fit` leaves its losses where claims leave their values.
_PRELUDE = """
def _leave_losses():
    import functools, json, os
    try:
        import implementations.core.fit as module
    except ModuleNotFoundError:
        return
    fit = module.fit

    @functools.wraps(fit)
    def traced(*args, **kwargs):
        history = fit(*args, **kwargs)
        with open(os.environ["CLAIMS_OUT"], "a", encoding="utf-8") as file:
            file.write(json.dumps({"losses": history.loss}) + "\\n")
        return history

    module.fit = traced

_leave_losses()
"""


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

    `variables` are those of the kernels; `limit` is in seconds, for one run. They are
    remembered in a folder of `home`, or of `root`.
    """

    root: Path
    variables: Mapping[str, str]
    limit: float
    home: Path | None = None

    async def trace(self, notebook: Notebook) -> Trace:
        """Run the notebook with SMOKE=1, or recall it; CellError as for any run."""
        path = self._remembered(notebook)
        if path.exists():
            return Trace(**json.loads(path.read_text("utf-8")))
        trace = await self._run(notebook)
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
                        before = await self._in(folder)._of(stamped.file.stem)
                        return now.difference(before if now.text else before.numbers)
        return found

    async def _of(self, paper: str) -> Trace:
        return await self.trace(ipynb.read(self.root, paper, Fingerprints(self.root)))

    def _in(self, folder: Path) -> ShortRuns:
        path = f"{folder}{os.pathsep}{self.variables.get('PYTHONPATH', '')}"
        variables = {**self.variables, "PYTHONPATH": path}
        return replace(self, root=folder, variables=variables, home=self.root)

    def _remembered(self, notebook: Notebook) -> Path:
        told = [self.variables.get(name, "") for name in ("SEED", "DEVICE")]
        key = hashlib.sha256("\0".join([notebook.fingerprint, *told]).encode())
        name = f"{notebook.name}-{key.hexdigest()[:16]}.json"
        return (self.home or self.root) / CACHE / name

    async def _run(self, notebook: Notebook) -> Trace:
        with tempfile.TemporaryDirectory(prefix="trace-") as folder:
            recorded = Path(folder) / "records.jsonl"
            recorded.touch()
            own = {"SMOKE": "1", "CLAIMS_OUT": str(recorded)}
            outputs = await self._outputs(notebook, {**self.variables, **own})
            lines = recorded.read_text("utf-8").splitlines()
        shown = clean(notebook.code, outputs, notebook.file)
        records = map(json.loads, lines)
        return Trace.of(records, (output for cell in shown for output in cell))

    async def _outputs(
        self, notebook: Notebook, variables: dict[str, str]
    ) -> list[list[Output]]:
        async with session(notebook.file, self.root, variables) as kernel:
            deadline = monotonic() + self.limit
            await kernel.prepare(_PRELUDE)
            return [await kernel.run(cell, deadline) for cell in notebook.code]
