"""The rooms of the suite, and the processor time that each may take.

In seconds, for `make test` and for what `make test-all` has beyond it, with 50 papers:
5 minutes of two cores and 25 more. A busy machine takes longer, not more of it.
"""

from __future__ import annotations

from pathlib import PurePath

BUDGETS = {
    "collecting": (40, 60),
    "tests": (10, 10),
    "suite": (5, 40),
    "support": (5, 5),
    "base": (6, 2),
    "catalogue": (12, 30),
    "sources": (3, 2),
    "add": (6, 15),
    "links": (10, 5),
    "readme": (4, 2),
    "exports": (12, 5),
    "outputs": (18, 85),
    "scaffold": (10, 30),
    "github": (12, 45),
    "execute": (38, 130),
    "flows": (105, 1300),
    "scale": (5, 120),
    "papers": (75, 490),
    "benchmarks": (24, 160),
    "site": (95, 300),
    "whole": (18, 150),
}
LINTING = 80
NEVER_SKIPPED = {"flows", "papers", "execute", "site"}


def room_of(nodeid: str) -> str:
    """The folder of tests/, or of tests/scripts/, that a test is in."""
    parts = PurePath(nodeid.split("::")[0]).parent.parts
    return [*(part for part in parts if part != "scripts"), "tests"][:2][-1]
