"""A job on its worker: it runs while it is wanted, and tells how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from distributed import Reschedule, Worker, get_worker

from scripts.cluster.facts import WorkerFacts, facts
from scripts.cluster.place import Needs

Key = tuple[Any, ...]
Job = Callable[..., Awaitable[Any]]

_PATIENCE = 0.1
"""Seconds between two looks at whether the job is still wanted."""


class DifferentWorker(Exception):
    """A worker that came later differs from the client; holds its facts."""

    def __init__(self, worker: str, found: WorkerFacts) -> None:
        super().__init__(worker, found)
        self.worker, self.found = worker, found

    def __str__(self) -> str:
        # Dask cuts errors of more than 10 kB, by their text.
        return f"{self.worker} differs"


@dataclass(frozen=True)
class Order:
    """A job's name, where to tell how far it is, and what its worker must be like.

    `key` ends with the job's number; `digest` is that of the client's facts, or ""
    where the worker is of this very checkout.
    """

    key: Key
    topic: str
    needs: Needs
    digest: str

    def check(self, worker: Worker) -> None:
        """Raise DifferentWorker where this process differs from the client."""
        if self.digest and (found := facts(self.needs)).digest != self.digest:
            raise DifferentWorker(worker.address, found)


_order: ContextVar[Order | None] = ContextVar("order", default=None)


def tell(word: Any) -> None:
    """Tell the client how far the job is that calls this."""
    if order := _order.get():
        get_worker().log_event(order.topic, {"job": order.key[-1], "word": word})


async def perform(job: Job, arguments: Sequence[Any], order: Order) -> Any:
    """Run a job to its end, or until nobody waits for it.

    Dask forgets a job that its client gives up, but lets it run on. So this looks
    whether it is wanted, and cancels it otherwise, as when the worker is closed.
    """
    worker = get_worker()
    order.check(worker)
    _order.set(order)
    running = asyncio.ensure_future(job(*arguments))
    try:
        while not running.done():
            await asyncio.wait({running}, timeout=_PATIENCE)
            if not _wanted(worker, order.key):
                raise Reschedule  # which Dask drops, as it does the job
    finally:
        if not running.done():
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    return running.result()


def perform_alone(
    job: Callable[..., Any], arguments: Sequence[Any], order: Order
) -> Any:
    """Run a job that computes in the worker's own thread; it ends with its process."""
    order.check(get_worker())
    return job(*arguments)


def _wanted(worker: Worker, key: Key) -> bool:
    task = worker.state.tasks.get(key)
    return task is not None and task.state != "cancelled"
