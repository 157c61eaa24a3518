"""Run the code cells of one notebook in a kernel of their own."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from ipykernel.compiler import get_file_name
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook

from scripts.execute.outputs import Output
from scripts.papers.cells import Cell, CellError

FACTS = """
import importlib.metadata, json, sys
_torch = sys.modules.get("torch")
_cuda = _torch is not None and _torch.cuda.is_initialized()
print(json.dumps({
    "python": "%d.%d" % sys.version_info[:2],
    "torch": importlib.metadata.version("torch").partition("+")[0],
    "device": _torch.cuda.get_device_name() if _cuda else "cpu",
}))
"""
_LONGEST = 500
_END_WITH = """
import os, signal, threading, time

def watch():
    while os.getppid() == {parent}:
        time.sleep(0.2)
    os.killpg(os.getpgrp(), signal.SIGKILL)

threading.Thread(target=watch, daemon=True).start()
"""
_FRAMES = """
import json, sys, traceback
_frames = traceback.extract_tb(getattr(sys, "last_traceback", None))
print(json.dumps([(_frame.filename, _frame.lineno) for _frame in _frames]))
"""


def first_line(said: str) -> str:
    """Return the first line of an error, without its end where it is very long."""
    line = said.partition("\n")[0]
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def end_with(parent: int) -> str:
    """Return code that ends its process, and all that it starts, after its parent.

    For a parent that is killed, and can tidy up no more. The process must lead a group.
    """
    return f"exec({_END_WITH.format(parent=parent)!r}, {{}})"


class Session:
    """Cells of one paper's file, run one after another in an empty folder."""

    def __init__(self, client: NotebookClient, file: str, root: Path) -> None:
        self._client, self._file, self._root = client, file, root
        self._done: dict[str, Cell] = {}

    async def run(self, cell: Cell, deadline: float) -> list[Output]:
        """Run one cell; return its outputs.

        CellError at the line that failed; at the cell's first line when it still runs
        at the deadline (of `time.monotonic`), or when the kernel died.
        """
        # The name under which IPython knows the cell's code, but for its folder.
        self._done[Path(get_file_name(cell.source)).name] = cell
        try:
            return await self._execute(cell.source, deadline)
        except CellExecutionError as error:
            line, elsewhere = self._place(await self._ask(_FRAMES), cell)
            message = first_line(f"{error.ename}: {error.evalue.strip()}")
            problem = message.removesuffix(": ") + elsewhere
        except TimeoutError:
            line, problem = cell.lines[0], "the time limit came while this cell ran"
        except DeadKernelError:
            line, problem = cell.lines[0], "the kernel died in this cell (no memory?)"
        raise CellError(self._file, line, problem)

    async def prepare(self, source: str) -> None:
        """Run code that is no cell, before the cells."""
        await self._execute(source, monotonic() + 60)

    async def facts(self) -> dict[str, str]:
        """Return what the kernel runs on: python, torch, and the device it used."""
        return await self._ask(FACTS)

    async def _ask(self, question: str) -> Any:
        outputs = await self._execute(question, monotonic() + 60)
        return json.loads("".join(output["text"] for output in outputs))

    async def _execute(self, source: str, deadline: float) -> list[Output]:
        cell = new_code_cell(source)
        await _until(deadline, self._client.async_execute_cell(cell, 0))
        return cell.outputs

    def _place(self, frames: list[tuple[str, int]], cell: Cell) -> tuple[int, str]:
        """Return the line in the cell, and where beyond the cell the error arose."""
        places = [place for path, line in frames if (place := self._known(path, line))]
        own = [line for file, line in places if file == self._file]
        inside = [line for line in own if line in cell.lines]
        line = inside[0] if inside else cell.lines[0]
        elsewhere = places and places[-1] != (self._file, line)
        return line, " (raised at {}:{})".format(*places[-1]) if elsewhere else ""

    def _known(self, path: str, line: int) -> tuple[str, int] | None:
        """Return the place in this project that a frame stands for."""
        if cell := self._done.get(Path(path).name):
            return self._file, cell.lines[line - 1]
        if Path(path).is_relative_to(self._root / "implementations"):
            return Path(path).relative_to(self._root).as_posix(), line
        return None


@asynccontextmanager
async def session(
    file: str, root: Path, environment: dict[str, str]
) -> AsyncIterator[Session]:
    """Start a kernel of this Python; kill it and all its traces at the end."""
    with TemporaryDirectory(prefix="notebook-", ignore_cleanup_errors=True) as folder:
        work = Path(folder, "work")
        work.mkdir()
        manager = AsyncKernelManager(
            # No race for ports; but a socket's name has little more room than this.
            transport="ipc" if len(folder) < 80 else "tcp",
            connection_file=f"{folder}/kernel.json",
            # Not the kernels that the user has installed, nor IPython's user profile.
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
        )
        client = NotebookClient(
            new_notebook(cells=[new_code_cell()]),
            km=manager,
            iopub_timeout=60,
            raise_on_iopub_timeout=True,
            record_timing=False,
        )
        environment = environment | {"IPYTHONDIR": f"{folder}/ipython"}
        try:
            await manager.start_kernel(
                cwd=work, env=environment, extra_arguments=["--log-level=CRITICAL"]
            )
            client.kc = manager.client()
            await _connect(client.kc, file)
            kernel = Session(client, file, root)
            await kernel.prepare(end_with(os.getpid()))
            yield kernel
        finally:
            if client.kc:
                client.kc.stop_channels()
            if manager.provisioner:
                # The manager interrupts first, which Python prints while it starts.
                await manager.provisioner.kill()
            await manager.shutdown_kernel(now=True)


async def _connect(connection: AsyncKernelClient, file: str) -> None:
    connection.allow_stdin = False
    # The heartbeat is a thread that cannot be interrupted in silence, nor is it needed:
    # nbclient looks at the process itself.
    connection.start_channels(hb=False)
    try:
        await connection.wait_for_ready(timeout=120)
    except RuntimeError as error:
        raise CellError(file, 1, f"the kernel does not start: {error}") from None


async def _until(deadline: float, work: Coroutine[Any, Any, Any]) -> None:
    """Wait beside the work, since nbclient takes a cancelled wait for a dead kernel."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=max(0.0, deadline - monotonic()))
        if not task.done():
            raise TimeoutError
        task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
