"""Strict YAML: plain data in which every scalar is text, and where each value stands.

Works on the events of PyYAML's parser: in its composed nodes one no longer sees
aliases, and its constructor turns dates and numbers into Python objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from scripts.catalogue import invisible
from scripts.catalogue.faults import (
    CatalogueError,
    Fault,
    Finding,
    Path,
    Position,
    quote,
)

BROKEN: Final = object()
"""Stands in the data for a value that has already been found at fault."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 6  # The catalogue needs four: section, entry, field, item.
_A_KEY = "a key"  # Stands in paths for what is wrong with a key itself.

# What the core schema of YAML 1.2 takes for null, a truth value or a number.
_not_text = re.compile(
    r"(?P<nothing>~|null|Null|NULL|)"
    r"|(?P<truth>true|True|TRUE|false|False|FALSE)"
    r"|[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
).fullmatch


@dataclass(frozen=True)
class Document:
    """A file's data, the places of its keys and values, and its faults of form."""

    data: Any
    keys: dict[Path, Any]
    values: dict[Path, Any]
    findings: list[Finding]

    def position(self, path: Path) -> Position:
        """Say where the value at `path` stands, or else what would contain it."""
        while path and path not in self.values:
            path = path[:-1]
        return _position(self.values[path]) if path in self.values else Position(1, 1)

    def key_position(self, path: Path) -> Position:
        """Say where the key of the value at `path` stands."""
        return _position(self.keys[path])


def read(content: bytes, file: str) -> Document:
    """Read one YAML document; `file` is its name in faults.

    Raises CatalogueError, with a single fault, when the bytes are not UTF-8 or not one
    YAML document; what else is wrong stands in the document's `findings`.
    """
    text, findings = _without_invisible(_decode(content, file))
    reader = _Reader(text, file)
    try:
        data = reader.document()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(file, text, error) from None
    return Document(data, reader.keys, reader.values, findings + reader.findings)


def _decode(content: bytes, file: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        at = Position(before.count("\n") + 1, len(before) - before.rfind("\n"))
        problem = f"the byte 0x{content[error.start]:02X} is not UTF-8"
        raise _alone(file, at, problem, "save the file as UTF-8") from None


def _without_invisible(text: str) -> tuple[str, list[Finding]]:
    # Reading goes on without them, as if they had been removed: no other fault hides.
    findings: list[Finding] = []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if invisible.is_plain(line):
            continue
        places = invisible.places(line.removesuffix("\r"))
        lines[number] = invisible.without(line, places)
        findings += [
            Finding((), *invisible.describe(each), Position(number + 1, place + 1))
            for each, place in _first_places(line, places).items()
        ]
    return ("\n".join(lines) if findings else text), findings


def _first_places(text: str, places: list[int]) -> dict[str, int]:
    return {text[place]: place for place in reversed(places)}


def _syntax_error(file: str, text: str, error: yaml.MarkedYAMLError) -> CatalogueError:
    problem = error.problem or "is not YAML"
    # What is never closed is at fault where it begins, not where the reader gave up.
    unclosed = "end of stream" in problem or "expected ':'" in problem
    at = _position(error.context_mark if unclosed else error.problem_mark)
    lines = text.rstrip().split("\n")
    end = Position(len(lines), len(lines[-1]) + 1)
    at = min(at, end)
    return _alone(
        file, at, problem, _hint(problem, lines[at.line - 1][: at.column - 1])
    )


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


def _alone(file: str, at: Position, problem: str, fix: str) -> CatalogueError:
    return CatalogueError([Fault(file, *at, "syntax", problem, fix)])


def _position(mark: Any) -> Position:
    return Position(mark.line + 1, mark.column + 1)


def _is_year(path: Path, text: str) -> bool:
    """Whether it is a number in the place of a date; the rules know what dates are."""
    return path[2:] in (("date",), ("added",)) and text.isdigit()


class _Reader:
    """Builds data from events; their depth is bounded, so it may recurse."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self.keys: dict[Path, Any] = {}
        self.values: dict[Path, Any] = {}
        self.findings: list[Finding] = []

    def document(self) -> Any:
        next(self.events)
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            return None
        data = self.node(next(self.events), ())
        next(self.events)
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            return data
        at = _position(event.start_mark)
        problem, fix = "a second document begins here", 'remove the line "---"'
        raise _alone(self.file, at, problem, fix)

    def node(self, event: Any, path: Path) -> Any:
        self.values[path] = event.start_mark
        kind = type(event)
        if kind is yaml.AliasEvent:
            self.add(event, path, f'is the alias "*{event.anchor}"', "write it out")
            return BROKEN
        if event.anchor is not None or event.tag is not None:
            self.decoration(event, path)
        if kind is yaml.ScalarEvent:
            return self.scalar(event, path)
        if len(path) == _DEEPEST:
            problem = f"lists are nested more than {_DEEPEST} deep"
            at = _position(event.start_mark)
            raise _alone(self.file, at, problem, "look for a stray bracket or dash")
        if kind is yaml.MappingStartEvent:
            return self.mapping(path)
        return self.sequence(path)

    def add(self, event: Any, path: Path, problem: str, fix: str) -> None:
        self.findings.append(Finding(path, problem, fix, _position(event.start_mark)))

    def decoration(self, event: Any, path: Path) -> None:
        if event.anchor is not None:
            self.add(event, path, f'has the anchor "&{event.anchor}"', "remove it")
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!", 1)
            self.add(event, path, f"has the YAML tag {quote(tag)}", "remove it")

    def scalar(self, event: Any, path: Path) -> Any:
        text = event.value
        if not event.style and (match := _not_text(text)) and not _is_year(path, text):
            self.mistyped(event, path, match)
            return BROKEN
        if event.style == '"' and not invisible.is_plain(text):
            text = self.unescaped(event, path)
        return " ".join(text.split())

    def mistyped(self, event: Any, path: Path, match: re.Match[str]) -> None:
        if not event.value:
            self.add(event, path, "is empty", "write a value, or remove the line")
            return
        kinds = {"nothing": "nothing", "truth": "a truth value"}
        problem = (
            f"reads as {kinds.get(match.lastgroup or '', 'a number')}, not as text"
        )
        self.add(event, path, problem, "put it in quotes")

    def unescaped(self, event: Any, path: Path) -> str:
        """Report the invisible characters that escapes have brought in; drop them."""
        places = invisible.places(event.value)
        for each in _first_places(event.value, places):
            self.add(event, path, *invisible.describe(each))
        return invisible.without(event.value, places)

    def mapping(self, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        while type(event := next(self.events)) is not yaml.MappingEndEvent:
            key = self.node(event, (*path, _A_KEY))
            if isinstance(key, str) and key not in data:
                self.keys[*path, key] = event.start_mark
                data[key] = self.node(next(self.events), (*path, key))
                continue
            self.refuse_key(event, path, key)
            self.node(next(self.events), (*path, _A_KEY))
        return data

    def refuse_key(self, event: Any, path: Path, key: Any) -> None:
        if isinstance(key, str):
            first = _position(self.keys[*path, key]).line
            problem = f"is given twice, first on line {first}"
            self.add(event, (*path, key), problem, "remove one of the two")
        elif key is not BROKEN:
            self.add(event, (*path, _A_KEY), "is not text", "write it as text")

    def sequence(self, path: Path) -> list[Any]:
        data: list[Any] = []
        while type(event := next(self.events)) is not yaml.SequenceEndEvent:
            data.append(self.node(event, (*path, len(data))))
        return data
