"""A cluster as a command uses it: hand out jobs, hear of them, get what they return."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from inspect import iscoroutinefunction
from typing import Any

from distributed import Client, Future, KilledWorker
from distributed.client import FutureCancelledError

from scripts.cluster.agreement import check_agreement
from scripts.cluster.facts import WorkerFacts
from scripts.cluster.performing import (
    DifferentWorker,
    Key,
    Order,
    perform,
    perform_alone,
)
from scripts.cluster.place import ClusterError, JobLost, Needs

Hear = Callable[[Any], None]
Shared = Future
"""A value that is sent once, and stands for itself among a job's arguments."""
# Dask hands a few tasks out at once, so that they may wait at a worker that is busy for
# minutes. What is marked so waits at the scheduler, for the first worker that is free.
_QUEUED: dict[str, Any] = {"_data_producer": True}
_WATCH = 1.0
"""Seconds between two looks at which workers are there."""


class Cluster:
    """Workers, each of which runs one job for each of its threads.

    `here` are this process's facts, with which workers must agree; None where they
    are of this very checkout. `threads` are those that a job may compute with;
    `machine` is the processor of all workers, or "" where they have several kinds.
    """

    def __init__(
        self,
        client: Client,
        address: str,
        threads: int,
        machine: str,
        needs: Needs,
        here: WorkerFacts | None = None,
    ) -> None:
        self.address, self.threads, self.machine = address, threads, machine
        self._client, self._needs, self._here = client, needs, here
        self._name = uuid.uuid4().hex[:8]
        self._numbers = itertools.count()
        self._hear: dict[int, Hear] = {}

    @property
    def dashboard(self) -> str:
        """The address of Dask's dashboard."""
        return self._client.dashboard_link or "nowhere"

    def share(self, value: bytes) -> Shared:
        """Let jobs have a value which is the same for many of them, and is not small.

        As a job's result, which is made anew where the workers that held it die.
        """
        key = (f"shared-{self._name}", next(self._numbers))
        return self._client.submit(bytes, value, key=key, pure=False)

    async def run(
        self,
        job: Callable[..., Any],
        *arguments: Any,
        name: Key,
        hear: Hear | None = None,
        begun: bool = False,
    ) -> Any:
        """Let a worker run a job; return what it returns, or raise what it raises.

        The job is a function of a module that workers can import: a coroutine, which
        is cancelled where this is, or one that computes in its worker's process. Where
        a worker dies, another begins it anew. `hear` is called with what it `tell`s.
        `name` is its kind and what it is of, as the dashboard shows them. What has
        `begun` by other jobs goes before what has not.

        Raises ClusterError and JobLost.
        """
        kind, *of_what = name
        number = next(self._numbers)
        key = (f"{kind}-{self._name}", *of_what, number)
        order = Order(
            key, self._name, self._needs, (self._here and self._here.digest) or ""
        )
        does = perform if iscoroutinefunction(job) else perform_alone
        if hear:
            self._hear[number] = hear
        future = self._client.submit(
            does,
            job,
            arguments,
            order,
            key=key,
            pure=False,
            priority=int(begun),
            **_QUEUED,
        )
        try:
            return await self._outcome(future)
        finally:
            self._hear.pop(number, None)
            future.release()

    async def _outcome(self, future: Future) -> Any:
        try:
            return await future
        except FutureCancelledError as error:
            told = f"{self.address} answers no more ({error.reason}): run it again"
            raise ClusterError(told) from None
        except KilledWorker as error:
            told = f"the workers that ran it died, {error.allowed_failures + 1} times"
            raise JobLost(f"{told} (no memory?)") from None
        except DifferentWorker as error:
            assert self._here
            check_agreement(self.address, self._here, {error.worker: error.found})
            raise

    @asynccontextmanager
    async def watched(self, say: Callable[[str], None]) -> AsyncIterator[None]:
        """Hear what jobs tell, and say which workers go and come, while in here."""
        self._client.subscribe_topic(self._name, self._heard)
        watch = asyncio.create_task(self._watch(say))
        try:
            yield
        finally:
            watch.cancel()

    def _heard(self, event: tuple[float, Any]) -> None:
        _, told = event
        if hear := self._hear.get(told["job"]):
            hear(told["word"])

    async def _watch(self, say: Callable[[str], None]) -> None:
        before = set(await workers_of(self._client))
        while True:
            await asyncio.sleep(_WATCH)
            try:
                now = set(await workers_of(self._client))
            except OSError:
                return  # the scheduler is gone, which jobs will tell
            for gone in before - now:
                left = f"{len(now)} left" if now else "none left: waiting for another"
                say(f"worker {gone} is gone, {left}; its jobs begin anew")
            for new in now - before:
                say(f"worker {new} has come")
            before = now


async def workers_of(client: Client) -> Mapping[str, Any]:
    """Return what the scheduler knows of each worker, by its address."""
    scheduler: Any = client.scheduler
    # Not `scheduler_info`, which is of five workers, and may be seconds old.
    return (await scheduler.identity(n_workers=-1))["workers"]


async def together(work: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Do all of it at once; return what came of each.

    Raises ClusterError, when one does, after the others have ended.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except BaseExceptionGroup as several:
        lost, rest = several.split(ClusterError)
        if lost is None or rest is not None:
            raise
        raise _first(lost) from None
    return [task.result() for task in tasks]


def _first(several: BaseException) -> BaseException:
    while isinstance(several, BaseExceptionGroup):
        several = several.exceptions[0]
    return several
