"""A Dask cluster of this machine, in processes that can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from scripts.base.project import ROOT

PATIENCE = 120.0


def wait_until(moment: Callable[[], object], what: str) -> None:
    """Wait until it has come, for two minutes at most."""
    end = time.monotonic() + PATIENCE
    while not moment():
        assert time.monotonic() < end, f"{what}, after {PATIENCE:.0f} s"
        time.sleep(0.02)


@dataclass
class KillableCluster:
    """A scheduler and the nannies of its workers, which begin each killed one anew."""

    address: str
    folder: Path
    processes: list[psutil.Popen] = field(default_factory=list)

    def start_worker(self, root: Path = ROOT) -> None:
        """Start one more worker, of the checkout in a folder."""
        self.processes.append(
            _dask(
                root,
                "distributed.cli.dask_worker",
                self.address,
                "--nthreads=1",
                "--no-dashboard",
                f"--local-directory={self.folder}",
            )
        )

    def workers(self) -> list[psutil.Process]:
        """The processes of workers, which nannies have started."""
        found = []
        for nanny in self.processes[1:]:
            for child in nanny.children():
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
        return found

    def kill_the_worker_of(self, job: int) -> None:
        """Kill the worker that has started a process."""
        parents = {parent.pid for parent in psutil.Process(job).parents()}
        (worker,) = [each for each in self.workers() if each.pid in parents]
        worker.kill()


@contextmanager
def loopback(
    folder: Path, workers: int = 3, root: Path = ROOT, theirs: Path = ROOT
) -> Iterator[KillableCluster]:
    """Start a cluster, wait until its workers are there, and stop it in the end.

    The scheduler is of the checkout in `root`, the workers are of `theirs`.
    """
    file = folder / "scheduler.json"
    scheduler = _dask(
        root,
        "distributed.cli.dask_scheduler",
        *("--host=127.0.0.1", "--port=0", "--no-dashboard"),
        *("--dashboard-address=127.0.0.1:0", f"--scheduler-file={file}"),
    )
    cluster = KillableCluster("", folder, [scheduler])
    try:
        wait_until(
            lambda: file.exists() and file.read_text("utf-8").endswith("}"),
            "no scheduler is there",
        )
        cluster.address = json.loads(file.read_text("utf-8"))["address"]
        for _ in range(workers):
            cluster.start_worker(theirs)
        if workers:
            wait_until(lambda: _count(cluster.address) == workers, "workers lack")
        yield cluster
    finally:
        for process in reversed(cluster.processes):
            for child in process.children(recursive=True):
                child.kill()
            process.kill()
            process.wait()


def _count(address: str) -> int:
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        return len(client.scheduler_info(n_workers=-1)["workers"])


def _dask(root: Path, module: str, *options: str) -> psutil.Popen:
    return psutil.Popen(
        [sys.executable, "-m", module, *options],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
