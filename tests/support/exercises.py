"""The exercises of a notebook, "Three to try": their edits, made and executed."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import NamedTuple

from scripts.papers import PACKAGE
from scripts.papers.cells import Cell, export
from tests.support.papers import ROOT

HEADING = "## Three to try"
_EXERCISE = re.compile(
    r"(?P<question>(?:(?!```|<details>).)+)"
    r"```diff\n- (?P<old>[^\n]+)\n\+ (?P<new>[^\n]+)\n```"
    r"(?P<run>(?:(?!```|<details>).)*)"
    r"<details>\s*<summary>Answer</summary>(?P<answer>.+?)</details>",
    re.DOTALL,
)


class Exercise(NamedTuple):
    """A question, the line that is edited, what it becomes, and the answer."""

    question: str
    old: str
    new: str
    answer: str


def source(paper: str) -> str:
    """Text of the paper's file."""
    return (ROOT / PACKAGE / f"{paper}.py").read_text("utf-8")


def exercises(paper: str) -> list[Exercise]:
    """Those under the heading, each a question, a diff of one line and an answer."""
    cells = export(source(paper), f"{paper}.py")
    prose = "\n\n".join(cell.source for cell in cells if cell.kind == "markdown")
    section = prose.partition(HEADING)[2].partition("\n## ")[0]
    return [
        Exercise(*(match[name].strip() for name in Exercise._fields))
        for match in _EXERCISE.finditer(section)
    ]


def edited_source(paper: str, number: int) -> str:
    """The paper's file after its exercise of this number, from 1; AssertionError when
    the line to edit does not stand in it once."""
    exercise = exercises(paper)[number - 1]
    lines = source(paper).split("\n")
    places = [k for k, line in enumerate(lines) if line.strip() == exercise.old]
    assert len(places) == 1, f"{paper}: {exercise.old!r} stands {len(places)} times"
    [place] = places
    indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
    lines[place] = indent + exercise.new
    return "\n".join(lines)


class Edited(ModuleType):
    """The paper's module after an edit. Its guarded cells have not run; `run` does."""

    def __init__(self, paper: str, number: int) -> None:
        super().__init__(f"{PACKAGE}.{paper}_edited_{number}")
        # Where dataclasses and pickles look for it.
        sys.modules[self.__name__] = self
        self._cells = export(edited_source(paper, number), f"{paper}.py")
        for cell in self._cells:
            if cell.kind == "code" and not cell.guarded:
                self._execute(cell)

    def run(self, text: str) -> None:
        """Execute the one guarded cell that holds this text, as a reader would."""
        [cell] = [c for c in self._cells if c.guarded and text in c.source]
        self._execute(cell)

    def _execute(self, cell: Cell) -> None:
        code = compile(cell.source, f"<{self.__name__}>", "exec", dont_inherit=True)
        exec(code, self.__dict__)


def edited(paper: str, number: int) -> Edited:
    """Make the edit of the paper's exercise of this number, from 1, and execute it."""
    return Edited(paper, number)
