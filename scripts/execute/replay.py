"""Replays: a short run tells whether changed code still gives the same numbers.

A result (an executed notebook, claims over seeds) carries the trace of a short run of
its code. Where today's code leaves the same trace, the result is stamped again instead
of being run for hours (docs/decisions/0012-replays.md).
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

from scripts.base.files import write_atomic
from scripts.execute.ipynb import Notebook
from scripts.execute.kernel import session
from scripts.execute.outputs import Output, clean
from scripts.execute.trace import Trace

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
class ShortRuns:
    """Short runs of papers, each made once for notebooks and claims.

    `variables` are those of the kernels; `limit` is in seconds, for one run.
    """

    root: Path
    variables: Mapping[str, str]
    limit: float

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

    def _remembered(self, notebook: Notebook) -> Path:
        told = [self.variables.get(name, "") for name in ("SEED", "DEVICE")]
        key = hashlib.sha256("\0".join([notebook.fingerprint, *told]).encode())
        name = f"{notebook.name}-{key.hexdigest()[:16]}.json"
        return self.root / CACHE / name

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
