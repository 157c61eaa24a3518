"""The number of a paper's checks, read from implementations/results/.

A check is an assertion of the paper's notebook; `make claims` repeats each over seeds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from scripts.papers import PACKAGE


class Checks(NamedTuple):
    """The number of a paper's checks, and of the seeds over which each is repeated."""

    number: int = 0
    seeds: int = 0


def read(root: Path, paper: str) -> Checks:
    """Count the paper's checks; none where they were not repeated yet."""
    path = root / PACKAGE / "results" / f"{paper}.json"
    if not path.exists():
        return Checks()
    results = json.loads(path.read_text("utf-8"))
    return Checks(len(results["claims"]), len(results["seeds"]))
