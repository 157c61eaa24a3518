"""Signals end a command in order: its task is cancelled, and tidies up."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager


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


@contextmanager
def interrupts_kept_from_children() -> Iterator[None]:
    """Start processes that a terminal's Ctrl-C does not reach; here it is lost, too.

    They end because this one ends them, in order and without a word.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
