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
from scripts.catalogue.faults import Finding, Path, Position, quote
from scripts.catalogue.syntax import (
    CUT,
    UNCLOSED,
    Bracket,
    Progress,
    alone,
    end_of,
    position,
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
    end: Position

    def position(self, path: Path) -> Position:
        """Say where the value at `path` stands, or else what would contain it."""
        while path and path not in self.values:
            path = path[:-1]
        return position(self.values[path]) if path in self.values else Position(1, 1)

    def key_position(self, path: Path) -> Position:
        """Say where the key of the value at `path` stands."""
        return position(self.keys[path])


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
        raise reader.progress.error(file, error) from None
    return Document(
        data, reader.keys, reader.values, findings + reader.findings, end_of(text)
    )


def _decode(content: bytes, file: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        at = Position(before.count("\n") + 1, len(before) - before.rfind("\n"))
        problem = f"the byte 0x{content[error.start]:02X} is not UTF-8"
        raise alone(file, at, problem, "save the file as UTF-8") from None


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


def _is_year(path: Path, text: str) -> bool:
    """Return whether it is a number in place of a date; the rules know dates."""
    return path[2:] in (("date",), ("added",)) and text.isdigit()


# Fields of single words: what follows a blank is no part of them.
WORDS = {"id", "date", "url", "links", "papers", "tags", "added", "implementation"}


def _is_text(path: Path) -> bool:
    """Return whether it is a text of an entry, the sentence of a tag, or any key."""
    if path[-1:] == (_A_KEY,):
        return True
    if len(path) == 2:
        return path[0] == "tags"
    return len(path) > 2 and path[2] not in WORDS


class _Reader:
    """Builds data from events; their depth is bounded, so it may recurse."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.progress = Progress(text)
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
        at = position(event.start_mark)
        problem, fix = "a second document begins here", 'remove the line "---"'
        raise alone(self.file, at, problem, fix)

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
            at = position(event.start_mark)
            raise alone(self.file, at, problem, "look for a stray bracket or dash")
        is_mapping = kind is yaml.MappingStartEvent
        if event.flow_style:
            bracket = Bracket(event.start_mark, self.column(path), is_mapping)
            self.progress.brackets.append(bracket)
        data = self.mapping(path) if is_mapping else self.sequence(path)
        if event.flow_style:
            self.progress.brackets.pop()
        return data

    def column(self, path: Path) -> int:
        """Return the column of the block in which a value stands; -1 without one."""
        while path:
            path = path[:-1]
            mark = self.values[path]
            if self.progress.text[mark.index] not in "[{":
                return mark.column
        return -1

    def add(
        self, event: Any, path: Path, problem: str, fix: str, at: Position | None = None
    ) -> None:
        at = at or position(event.start_mark)
        self.findings.append(Finding(path, problem, fix, at))

    def decoration(self, event: Any, path: Path) -> None:
        if event.anchor is not None:
            self.add(event, path, f'has the anchor "&{event.anchor}"', "remove it")
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!", 1)
            self.add(event, path, f"has the YAML tag {quote(tag)}", "remove it")

    def scalar(self, event: Any, path: Path) -> Any:
        text, self.progress.scalar = event.value, event
        if not event.style and _is_text(path) and self.is_cut(event, path):
            return " ".join(text.split()) or BROKEN
        if not event.style and (match := _not_text(text)) and not _is_year(path, text):
            self.mistyped(event, path, match)
            return BROKEN
        if event.start_mark.line < event.end_mark.line and event.style in ("'", '"'):
            self.swallowed(event, path)
        if event.style == '"' and not invisible.is_plain(text):
            text = self.unescaped(event, path)
        return " ".join(text.split())

    def is_cut(self, event: Any, path: Path) -> bool:
        """Report a comment that was meant as the rest of the text.

        One on a line of its own is not, unless it stands where the text would go on.
        """
        found = self.progress.comment_behind(event.end_mark)
        if not found or (found[1] and found[0].column <= self.column(path) + 1):
            return False
        self.add(event, path, *CUT, found[0])
        return True

    def swallowed(self, event: Any, path: Path) -> None:
        """Report a quote that closes only after the next field has begun."""
        start, end = event.start_mark, event.end_mark
        if self.progress.leaves_block(start.index, end.index, self.column(path)):
            self.progress.quotes.append(start)
            self.add(event, path, *UNCLOSED)

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
            first = position(self.keys[*path, key]).line
            problem = f"is given twice, first on line {first}"
            self.add(event, (*path, key), problem, "remove one of the two")
        elif key is not BROKEN:
            self.add(event, (*path, _A_KEY), "is not text", "write it as text")

    def sequence(self, path: Path) -> list[Any]:
        data: list[Any] = []
        while type(event := next(self.events)) is not yaml.SequenceEndEvent:
            data.append(self.node(event, (*path, len(data))))
        return data
