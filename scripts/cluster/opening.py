"""Open a cluster: one of this machine, or one that is there already."""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import dask.config
from distributed import Client, Nanny, Scheduler, SpecCluster, Worker

from scripts.cluster.agreement import check_agreement, start_worker
from scripts.cluster.facts import WorkerFacts, facts, processor
from scripts.cluster.place import ClusterError, Needs, Workplace
from scripts.cluster.running import Cluster, workers_of
from scripts.cluster.signals import interrupts_kept_from_children

_PATIENCE = 10
"""Seconds within which a scheduler must answer."""
_LOOPBACK = "127.0.0.1:0"
_SETTINGS = {
    # Dask would look a hundred times a second at what jobs do; nobody asks for it.
    "distributed.worker.profile.enabled": False,
    # A job waits at the scheduler, not at a worker that is busy for minutes.
    "distributed.scheduler.worker-saturation": 1.0,
}


@asynccontextmanager
async def open_cluster(place: Workplace, needs: Needs) -> AsyncIterator[Cluster]:
    """Start workers on this machine, or connect to those of a cluster.

    Prints where its dashboard is: for workers of this machine, in a terminal alone.
    Raises ClusterError where there is no cluster, or its workers would give other
    results than this checkout.
    """
    for name in ("distributed", "distributed.client"):
        # What it warns of is told here, in other words.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    opened = _there(place.address, needs) if place.address else _here(place, needs)
    async with opened as cluster:
        if place.address or sys.stderr.isatty():
            link = cluster.dashboard
            if not place.address:  # which Dask does not know to be served here alone
                link = f"http://127.0.0.1:{urlsplit(link).port}/status"
            print(f"Dask's dashboard: {link}", flush=True)
        yield cluster


@asynccontextmanager
async def _here(place: Workplace, needs: Needs) -> AsyncIterator[Cluster]:
    with (
        TemporaryDirectory(prefix="cluster-", ignore_cleanup_errors=True) as folder,
        dask.config.set({**_SETTINGS, "temporary-directory": folder}),
    ):
        with interrupts_kept_from_children() if place.processes else nullcontext():
            started = await _workers_here(place)
        async with (
            started as workers,
            Client(workers, asynchronous=True, set_as_default=False) as client,
        ):
            threads = max(1, (os.cpu_count() or 1) // place.jobs)
            yield Cluster(client, "this machine", threads, processor(), needs)


def _workers_here(place: Workplace) -> SpecCluster:
    """Return what starts a scheduler and workers, which no other machine can reach.

    `LocalCluster` would let each worker listen on all of this machine's addresses.
    """
    served = {"dashboard_address": _LOOPBACK, "dashboard": False}
    common = (
        {"protocol": "tcp://", "host": "127.0.0.1"}
        if place.processes
        else {"protocol": "inproc://"}
    )
    worker = {
        "cls": Nanny if place.processes else Worker,
        "options": {
            **served,
            **common,
            "nthreads": 1,
            "memory_limit": 0,
            "silence_logs": logging.CRITICAL,
        },
    }
    shown = {"dashboard": sys.stderr.isatty()}
    scheduler = {
        "cls": Scheduler,
        "options": {**served, **common, **shown, "port": 0},
    }
    return SpecCluster(
        dict.fromkeys(range(place.jobs), worker),
        scheduler,
        asynchronous=True,
    )


@asynccontextmanager
async def _there(address: str, needs: Needs) -> AsyncIterator[Cluster]:
    client: Any = Client(
        address, asynchronous=True, set_as_default=False, timeout=_PATIENCE
    )
    try:
        await client
    except (OSError, ValueError) as error:
        await client.close()
        raise ClusterError(
            f"no Dask scheduler answers at {address} ({error}): start one there by "
            "`.venv/bin/dask scheduler` in a checkout, and say CLUSTER=tcp://host:8786"
        ) from None
    async with client:
        workers = await workers_of(client)
        if not workers:
            raise ClusterError(
                f"{address} has no worker: start some by {start_worker(address)}, "
                "in checkouts of this commit"
            )
        here, found = facts(needs), await _all_facts(client, needs)
        scheduler = {"the scheduler": await _facts_of_scheduler(client, needs)}
        check_agreement(address, here, scheduler)
        for remark in check_agreement(address, here, found, needs.alike):
            print(remark, flush=True)
        known = [each for each in found.values() if isinstance(each, WorkerFacts)]
        machines = {each.machine for each in known}
        machine = machines.pop() if len(machines) == 1 else ""
        threads = _threads(workers, known)
        yield Cluster(client, address, threads, machine, needs, here)


async def _all_facts(
    client: Client, needs: Needs
) -> Mapping[str, WorkerFacts | BaseException]:
    """Ask every worker; what cannot be asked is told as the exception that came."""
    return await client.run(facts, needs, on_error="return")


async def _facts_of_scheduler(client: Any, needs: Needs) -> WorkerFacts | BaseException:
    """Ask the scheduler, which reads jobs before it hands them on."""
    try:
        return await client.run_on_scheduler(facts, needs)
    except Exception as error:
        return error


def _threads(workers: Mapping[str, Any], found: list[WorkerFacts]) -> int:
    """Return the threads for which each job has cores, wherever it runs.

    All jobs have as many: another number would round differently.
    """
    slots = Counter[str]()
    for worker in workers.values():
        slots[worker["host"]] += worker["nthreads"]
    most = max(slots.values())
    return max(1, min(each.cores for each in found) // most)
