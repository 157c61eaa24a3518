"""The frame of a command that measures: its options, and where it writes.

Importing it needs nothing but Python: where a GPU is lent, pydantic may be missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from scripts.results.forms import Head

Row = TypeVar("Row")

FOLDER = Path(__file__).parent / "results"
PART = "write nothing unless --output is given"


class Command(argparse.ArgumentParser):
    """The options of a command, which is named as the file of its results.

    All have --output. Where `quick` says what a quick run is, there is --quick; where
    there are families to choose from, --only; or where there are flows to choose from,
    whose rows join those that are there.
    """

    def __init__(
        self,
        results: Path,
        about: str,
        quick: str = "",
        only: Collection[str] = (),
        flows: Collection[str] = (),
    ) -> None:
        super().__init__(f"python -m benchmarks.{results.stem}", description=about)
        self.results = results
        if quick:
            self.add_argument("--quick", action="store_true", help=f"{quick}; {PART}")
        if only:
            self.add_argument(
                "--only", metavar="FAMILY,…", help=f"of {', '.join(only)}; {PART}"
            )
        if flows:
            self.add_argument(
                "--only",
                dest="flows",
                metavar="FLOW",
                action="append",
                choices=flows,
                help="a flow of ours, whose rows join the committed ones (repeatable)",
            )
        default = "default, when all is measured" if quick or only else "default"
        self.add_argument(
            "--output",
            type=Path,
            metavar="FILE",
            help=f"where to write ({default}: benchmarks/results/{results.name})",
        )

    def parse(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        """Parse; `output` is None where nothing is to be written."""
        args = self.parse_args(arguments)
        given = vars(args)
        if given.get("quick") and given.get("flows"):
            self.error("--quick asks not everything, so --only cannot go with it")
        if not (given.get("quick") or given.get("only")):
            args.output = args.output or self.results
        return args


def named(
    parser: argparse.ArgumentParser, only: str | None, known: Collection[str]
) -> list[str]:
    """Return the names that --only lists, or all; exit where one is not known."""
    names = only.split(",") if only else list(known)
    for name in names:
        if name not in known:
            parser.error(f"--only: expected any of {', '.join(known)}, got {name}")
    return names


def joined(rows: Iterable[Row], fresh: Iterable[Row], *key: str) -> tuple[Row, ...]:
    """Put fresh rows in place of those with the same key, and new ones at the end."""
    named = attrgetter(*key)
    left = {named(row): row for row in fresh}
    return (*[left.pop(named(row), row) for row in rows], *left.values())


def say(progress: str) -> None:
    """Tell on stderr how far a command is."""
    print(f"→ {progress}", file=sys.stderr, flush=True)


def write(report: Head, output: Path | None) -> None:
    """Write the results, where there is a file for them."""
    if output:
        from scripts.results import files

        files.write(report, output)
        say(f"written: {output}")
