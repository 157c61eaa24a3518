"""The rooms of the suite, and the processor time that each may take.

In seconds, for `make test` and for what `make test-all` has beyond it, at 50 papers on
two cores: 5 minutes and 25. Processor time, since a busy machine takes longer.
"""

from __future__ import annotations

from pathlib import PurePath

BUDGETS = {
    "collecting": (60, 60),
    "tests": (10, 10),
    "suite": (15, 10),
    "support": (10, 10),
    "base": (5, 5),
    "catalogue": (40, 40),
    "sources": (10, 10),
    "add": (20, 20),
    "links": (20, 20),
    "readme": (10, 10),
    "exports": (10, 10),
    "outputs": (30, 120),
    "scaffold": (10, 10),
    "github": (20, 40),
    "execute": (40, 120),
    "flows": (120, 1400),
    "papers": (60, 500),
    "benchmarks": (20, 120),
    "site": (60, 400),
    "whole": (10, 60),
}
NEVER_SKIPPED = {"flows", "papers", "execute", "site"}


def room_of(nodeid: str) -> str:
    """The folder of tests/, or of tests/scripts/, that a test is in."""
    parts = PurePath(nodeid.split("::")[0]).parent.parts
    return [*(part for part in parts if part != "scripts"), "tests"][:2][-1]
