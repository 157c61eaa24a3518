"""A process of its own for each flow: what a compiler makes may crash it."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import NamedTuple

from benchmarks.command import say
from scripts.results.forms import Compilation, Task


class Running(NamedTuple):
    """The libraries whose compiled code runs next: told before, as a crash cannot."""

    task: Task
    libraries: tuple[str, ...]


# What crashed before, by task and library: it is not compiled again.
Crashes = Mapping[tuple[Task, str], str]
Measure = Callable[[Crashes, Callable[[Running], None]], list[Compilation]]


def apart(measure: Measure) -> list[Compilation]:
    """Measure in a new process; after a crash in another one, without what crashed.

    RuntimeError if the process ends otherwise, which has said why.
    """
    crashes: dict[tuple[Task, str], str] = {}
    # A fork takes along what cannot be pickled. Torch has no threads here yet.
    fork = multiprocessing.get_context("fork")
    while True:
        receiver, sender = fork.Pipe(duplex=False)
        process = fork.Process(target=_send, args=(measure, crashes, sender))
        process.start()
        sender.close()
        rows, running = _receive(receiver)
        process.join()
        if rows is not None:
            return rows
        status = process.exitcode or 0
        if status >= 0 or running is None:
            raise RuntimeError(f"the process that measures ended with status {status}")
        name, libraries = signal.Signals(-status).name, running.libraries
        say(f"crashed ({name}); once more without {', '.join(libraries)}")
        for library in libraries:
            crashes[running.task, library] = f"its compiled code crashed ({name})"


def _send(measure: Measure, crashes: Crashes, sender: Connection) -> None:
    sender.send(measure(crashes, sender.send))


def _receive(receiver: Connection) -> tuple[list[Compilation] | None, Running | None]:
    """Return the rows, or None and what ran last."""
    running = None
    while True:
        try:
            told = receiver.recv()
        except EOFError:
            return None, running
        if not isinstance(told, Running):
            return told, None
        running = told
