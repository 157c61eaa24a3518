"""Why a text is no YAML, or means less than it says: told where the mistake was made.

A parser gives up where it can go on no longer, which may be many lines further down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from scripts.catalogue.faults import CatalogueError, Fault, Position

UNCLOSED = (
    "the quote that opens here is not closed before the next field",
    "close it, or indent each line of its text deeper than the field",
)
CUT = (
    'ends before this "#", which begins a comment',
    "put the text in quotes, or the comment above the field",
)


def position(mark: Any) -> Position:
    """Turn a mark of PyYAML into a place in the file."""
    return Position(mark.line + 1, mark.column + 1)


def end_of(text: str) -> Position:
    """Return the place behind the last character that is no blank."""
    lines = text.rstrip().split("\n")
    return Position(len(lines), len(lines[-1]) + 1)


def alone(file: str, at: Position, problem: str, fix: str) -> CatalogueError:
    """Make an error of one fault that keeps the file from being read further."""
    return CatalogueError([Fault(file, *at, "syntax", problem, fix)])


class Bracket(NamedTuple):
    """One that is open: its mark, and the column of the block in which it stands."""

    mark: Any
    column: int
    is_brace: bool


@dataclass
class Progress:
    """The place up to which a text was read: its last scalar, and what stands open.

    `quotes` are the marks of those that swallowed the next field.
    """

    text: str
    scalar: yaml.ScalarEvent | None = None
    brackets: list[Bracket] = field(default_factory=list)
    quotes: list[Any] = field(default_factory=list)

    def leaves_block(self, start: int, end: int, column: int) -> bool:
        """Return whether a line between two places begins no deeper than the block.

        A bracket may be closed there.
        """
        lines = self.text[start:end].split("\n")[1:]
        return any(
            len(line) - len(rest) <= column
            for line in lines
            if (rest := line.lstrip(" ").rstrip("\r")) and rest[0] not in "]}"
        )

    def comment_behind(self, end: Any) -> tuple[Position, bool] | None:
        """Return where a comment follows, and whether on a line of its own."""
        match = _comment(self.text, end.index)
        if not match:
            return None
        at = match.end() - 1
        line = end.line + self.text.count("\n", end.index, at) + 1
        place = Position(line, at - self.text.rfind("\n", 0, at))
        return place, bool(match["line"])

    def error(self, file: str, error: yaml.MarkedYAMLError) -> CatalogueError:
        """Say what is wrong with the text that the parser refused, and where."""
        if self.quotes:
            return alone(file, position(self.quotes[0]), *UNCLOSED)
        problem = error.problem or "is not YAML"
        # What is never closed is at fault where it begins.
        begun = "end of stream" in problem or "expected ':'" in problem
        mark: Any = error.context_mark if begun else error.problem_mark
        for bracket in reversed(self.brackets):
            if self._is_unclosed(bracket, mark):
                opening, closing = "{}" if bracket.is_brace else "[]"
                problem = f'the "{opening}" that opens here is not closed'
                fix = f'close it with "{closing}"'
                return alone(file, position(bracket.mark), problem, fix)
        at = min(position(mark), end_of(self.text))
        before = self.text.split("\n")[at.line - 1][: at.column - 1]
        return alone(file, at, *self._described(problem, mark, before))

    def _is_unclosed(self, bracket: Bracket, mark: Any) -> bool:
        end = self.text.find("\n", mark.index)
        read = end if end >= 0 else len(self.text)
        if not self.text[mark.index :].strip():
            return True
        return self.leaves_block(bracket.mark.index, read, bracket.column)

    def _is_behind(self, end: Any, mark: Any) -> bool:
        between = self.text[end.index : mark.index]
        return end.index <= mark.index and not between.strip()

    def _described(self, problem: str, mark: Any, before: str) -> tuple[str, str]:
        last: Any = self.scalar
        if last and self._is_behind(last.end_mark, mark):
            if last.style in ("'", '"') and last.end_mark.line == mark.line:
                inside = {"'": "''", '"': '\\"'}[last.style]
                fix = f"put all of the text in quotes, and write {inside} within it"
                return "more text follows a closing quote", fix
            if last.style in ("|", ">"):
                return problem, f"indent text below {last.style} deeper than its field"
        character = self.text[mark.index : mark.index + 1]
        if character in ("]", "}") and not self.brackets:
            problem = f'"{character}" closes nothing'
            return problem, "remove it, or put the text that holds it in quotes"
        return problem, _hint(problem, before)


_comment = re.compile(r"[ \t]+#|(?P<line>\s*\n)[ \t]*#").match


def _hint(problem: str, before: str) -> str:
    """Say what to do about a problem, from what stands before it on its line."""
    if "mapping values" in problem and re.fullmatch(r"[ -]*\w+", before):
        return _ALIGN  # a field's own colon, not one within its text
    hints = (hint for sign, hint in _HINTS.items() if sign in problem)
    return next(hints, "look at the indentation, quotes and brackets here and above")


_ALIGN = (
    "indent each field of an entry like the first one: look here and one line above"
)
_HINTS = {
    "mapping values are not allowed": 'put a text that holds ": " in quotes',
    "expected '-' indicator": _ALIGN,
    "expected key": _ALIGN,
    "tab character": "indent with spaces",
    "cannot start any token": "indent with spaces; put a text that begins so in quotes",
    "could not find expected ':'": 'write "field: value", with a space after the colon',
    "unexpected end of stream": "close the quote that opens here",
}
