"""Faults of a catalogue, and the forms in which they are printed."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple

Path = tuple[str | int, ...]
"""The way to a value: ("publications", 3, "authors", 0)."""


class Position(NamedTuple):
    """A place in the file; both count from 1."""

    line: int
    column: int


class Finding(NamedTuple):
    """A fault as a rule sees it; `at` is set where the path alone does not tell.

    Or `of_key`, where it is the last key of the path that is at fault, not its value.
    """

    path: Path
    problem: str
    fix: str
    at: Position | None = None
    of_key: bool = False


@dataclass(frozen=True, order=True)
class Fault:
    """A fault as the contributor sees it; faults sort by their place in the file."""

    file: str
    line: int
    column: int
    where: str
    problem: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place}: {self.where}: {self.problem} ({self.fix})"


class CatalogueError(Exception):
    """The catalogue is at fault; `faults` lists everything that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = sorted(faults)
        super().__init__("\n".join(map(str, self.faults)))


def format_faults(
    faults: Sequence[Fault], form: Literal["text", "github", "json"]
) -> str:
    """Write faults for people, as GitHub's annotations, or as JSON."""
    if form == "json":
        return json.dumps([asdict(fault) for fault in faults], ensure_ascii=False)
    line = _annotation if form == "github" else str
    return "\n".join(map(line, faults))


def on_github() -> bool:
    """Return whether this runs in a workflow on GitHub, which shows annotations."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _annotation(fault: Fault) -> str:
    file = _escape(fault.file).replace(":", "%3A").replace(",", "%2C")
    message = _escape(f"{fault.where}: {fault.problem} ({fault.fix})")
    return f"::error file={file},line={fault.line},col={fault.column}::{message}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def quote(text: str) -> str:
    """Quote a value for a message, cut where it would drown the message."""
    return f'"{text}"' if len(text) <= 60 else f'"{text[:59]}…"'


def did_you_mean(word: str, known: Collection[str], otherwise: str) -> str:
    """Suggest the known word that `word` resembles, or else say `otherwise`."""
    # To compare with thousands, for thousands of faults, would take minutes.
    few = known if len(known) <= 500 else ()
    close = difflib.get_close_matches(word, few, 1)
    return f'did you mean "{close[0]}"?' if close else otherwise
