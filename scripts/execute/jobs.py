"""The jobs that workers run for notebooks and claims, each in a process of its own.

Whatever they need is handed to them, so that any worker can run any of them, and again
where another died. They write nothing: what they return is kept by who asked.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from scripts.cluster.performing import tell
from scripts.execute.claims.results import Finished
from scripts.execute.code import unpacked
from scripts.execute.kernel import FACTS, end_with, first_line, session
from scripts.execute.outputs import Output, clean
from scripts.execute.settings import environment
from scripts.execute.trace import Trace
from scripts.papers import PACKAGE
from scripts.papers.cells import Cell

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


class RunError(Exception):
    """A run that did not come to its end; says the last thing that it said."""


@dataclass(frozen=True)
class Executed:
    """A whole run of a notebook: outputs of its cells, its seconds, what it ran on."""

    outputs: Sequence[list[Output]]
    seconds: int
    facts: Mapping[str, str]


async def run_whole(
    code: bytes,
    file: str,
    cells: Sequence[Cell],
    settings: Mapping[str, str],
    limit: float,
) -> Executed:
    """Run the cells of a paper's file, and tell how many have ended.

    `limit` is in seconds, for all of them. CellError as for any run.
    """
    started = monotonic()
    outputs: list[list[Output]] = []
    tell(0)
    with unpacked(code) as root:
        variables = environment(root, settings)
        async with session(file, root, variables) as kernel:
            deadline = monotonic() + limit
            for cell in cells:
                outputs.append(await kernel.run(cell, deadline))
                tell(len(outputs))
            facts = await kernel.facts()
    cleaned = clean(cells, outputs, file)
    return Executed(cleaned, round(monotonic() - started), facts)


async def run_short(
    code: bytes,
    file: str,
    cells: Sequence[Cell],
    settings: Mapping[str, str],
    limit: float,
) -> Trace:
    """Run the cells with SMOKE=1, for their numbers; CellError as for any run."""
    with (
        unpacked(code) as root,
        tempfile.TemporaryDirectory(prefix="trace-") as folder,
    ):
        recorded = Path(folder) / "records.jsonl"
        recorded.touch()
        own = {"SMOKE": "1", "CLAIMS_OUT": str(recorded)}
        variables = environment(root, settings) | own
        async with session(file, root, variables) as kernel:
            deadline = monotonic() + limit
            await kernel.prepare(_PRELUDE)
            outputs = [await kernel.run(cell, deadline) for cell in cells]
        lines = recorded.read_text("utf-8").splitlines()
    shown = clean(cells, outputs, file)
    records = map(json.loads, lines)
    return Trace.of(records, (output for cell in shown for output in cell))


async def run_both(
    codes: Sequence[bytes],
    file: str,
    cells: Sequence[Sequence[Cell]],
    settings: Mapping[str, str],
    limit: float,
) -> list[Trace]:
    """Make the short runs of a file in two codes, one after the other, in one place."""
    return [
        await run_short(code, file, some, settings, limit)
        for code, some in zip(codes, cells, strict=True)
    ]


async def run_seed(
    code: bytes, paper: str, seed: int, settings: Mapping[str, str]
) -> Finished:
    """Run a paper's whole file under one seed; tell that it begins. RunError."""
    tell("starts")
    source = (
        f"{end_with(os.getpid())}\nimport runpy\n"
        f"runpy.run_module('{PACKAGE}.{paper}', run_name='__main__')\n{FACTS}"
    )
    with (
        unpacked(code) as root,
        tempfile.TemporaryDirectory(prefix="claims-") as folder,
    ):
        recorded = Path(folder) / "claims.jsonl"
        recorded.touch()
        started = monotonic()
        own = {"SEED": str(seed), "CLAIMS_OUT": str(recorded)}
        status, out, err = await _run_command(
            sys.executable,
            "-c",
            source,
            cwd=Path(folder),
            env=environment(root, settings) | own,
        )
        if status:
            raise RunError(first_line((err.strip() or "no message").splitlines()[-1]))
        lines = recorded.read_text("utf-8").splitlines()
    claims: list[Any] = [json.loads(line) for line in lines]
    facts = json.loads(out.splitlines()[-1])
    return Finished(seed, round(monotonic() - started), claims, facts)


async def _run_command(
    *command: str, cwd: Path, env: Mapping[str, str]
) -> tuple[int | None, str, str]:
    """Run a command to its end, or kill it and what it started when cancelled.

    Return its exit status and what it wrote.
    """
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=env, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    try:
        out, err = await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return process.returncode, out.decode("utf-8"), err.decode("utf-8")
