"""Processes that begin as copies of one that has imported what takes seconds."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
import warnings
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import NamedTuple

IMPORTED = [
    "tests.scale.tiny",
    # The first DistributedDataParallel and the first vmap import it.
    "torch._dynamo",
    "matplotlib.pyplot",
    "scipy.stats",
    "sklearn.datasets",
]


class ModuleRun(NamedTuple):
    """The exit status of a process, and what it wrote."""

    code: int | None
    stdout: str
    stderr: str


def copies() -> ForkServerContext:
    """The server whose copies begin at once; this process has one, begun when asked."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def run_module(name: str, folder: Path, seconds: float, **variables: str) -> ModuleRun:
    """Run one of our modules as `python -W error -m` does, in such a copy.

    Raises:
        TimeoutError: when it takes longer; it has been killed.
    """
    files = [folder / "stdout", folder / "stderr"]
    process = copies().Process(target=_run, args=(name, files, variables))
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        raise TimeoutError(f"{name}: took longer than {seconds} s")
    return ModuleRun(process.exitcode, *(file.read_text("utf-8") for file in files))


def _run(name: str, files: list[Path], variables: dict[str, str]) -> None:
    for number, file in enumerate(files, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ |= variables
    # Ours is imported afresh, whatever the server has.
    for module in [each for each in sys.modules if each.startswith("implementations")]:
        del sys.modules[module]
    sys.argv = [name]
    warnings.simplefilter("error")
    runpy.run_module(name, run_name="__main__", alter_sys=True)
