"""The papers' claims, measured over several seeds: implementations/results/."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from scripts.cluster.place import Workplace
from scripts.execute.claims.results import codes, left_to_run, read
from scripts.execute.notebooks import chosen
from scripts.papers.cells import CellError


def run(
    root: Path,
    *,
    only: str = "",
    seeds: int = 5,
    force: bool = False,
    device: str | None = None,
    jobs: int = 2,
    cluster: str | None = None,
) -> int:
    """Repeat the papers' claims over seeds 0, 1, …; return the exit status.

    There run `jobs` at once, or as many as the `cluster` at an address has threads.

    Seeds that have finished are not run again, nor are those of code that has changed
    and leaves the same trace, unless `force` asks for it. 1 when a run failed or a
    claim was broken under some seed; every finished seed is kept.
    """
    try:
        current = codes(root, chosen(root, only))
        here = _here()
        missing = {
            paper: list(range(seeds)) if force else left
            for paper, code in current.items()
            if (left := left_to_run(read(root, paper), code, here, seeds)) or force
        }
    except (CellError, LookupError) as error:
        print(error, file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        return _missing(error)
    print(
        f"{len(current) - len(missing)} up to date, {len(missing)} behind", flush=True
    )
    if not missing:
        return 0
    try:
        # Costs a second, which only running is worth.
        from scripts.execute.claims import repeat
    except ModuleNotFoundError as error:
        return _missing(error)
    task = repeat.Task(root, current, here, seeds, force)
    return repeat.run(task, missing, device, Workplace(max(jobs, 1), cluster))


def _missing(error: ModuleNotFoundError) -> int:
    told = f"{error.name} is missing: run `make claims` to install it"
    print(told, file=sys.stderr)
    return 1


def _here() -> dict[str, str]:
    """Return the versions that a run will run on, in the form of the results."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"python": python, "torch": version("torch").partition("+")[0]}
