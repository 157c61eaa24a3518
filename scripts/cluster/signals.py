"""Signals end a command in order: its task is cancelled, and tidies up."""

from __future__ import annotations

import asyncio
import signal


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
