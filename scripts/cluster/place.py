"""The place where jobs are to run, and how alike its workers must be."""

from __future__ import annotations

from dataclasses import dataclass


class ClusterError(Exception):
    """A cluster cannot be used, or is lost; says why, and what to do."""


class JobLost(Exception):
    """A job whose workers died, each time that it was begun; says how often."""


@dataclass(frozen=True)
class Workplace:
    """The place of jobs: this machine, with `jobs` at once; or a cluster's address.

    With `processes`, each worker on this machine is a process of its own: for jobs
    that compute by themselves, and do not start a process that does.
    """

    jobs: int = 2
    address: str | None = None
    processes: bool = False


@dataclass(frozen=True)
class Needs:
    """The likeness that is asked of workers: to this checkout, and to each other.

    `rooms` are the folders of code that jobs import, `packages` those whose version
    tells in the results, and `alike` the fields of `WorkerFacts` that are one.
    """

    rooms: tuple[str, ...]
    packages: tuple[str, ...]
    alike: tuple[str, ...]
