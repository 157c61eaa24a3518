"""A catalogue on trial: its entries as they stand in the file, good and bad alike."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from scripts.catalogue.faults import Path
from scripts.catalogue.sections import SECTIONS

is_id = re.compile(r"[a-z][a-z0-9_]*").fullmatch


def nearest_id(text: str) -> str:
    """Make an id of a text; an id stays as it is."""
    if is_id(text):
        return text
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
    return words if is_id(words) else f"the_{words}".rstrip("_")


class Item(NamedTuple):
    """An entry as it stands in the file; its fields may be of any kind."""

    section: str
    number: int
    fields: dict[str, Any]

    @property
    def name(self) -> str:
        """The entry's id, or its place in its section where it has none."""
        identity = self.fields.get("id")
        known = isinstance(identity, str) and identity
        return str(identity) if known else f"{self.section} #{self.number + 1}"

    def path(self, *below: str | int) -> Path:
        """Return the way to the entry, or to what is below it."""
        return (self.section, self.number, *below)

    def text(self, field: str) -> str | None:
        """Return the field's text, if it has one."""
        value = self.fields.get(field)
        return value if isinstance(value, str) else None

    def authors(self) -> Iterator[tuple[Path, str, bool]]:
        """Yield each author's name, the way to it, and whether it is marked.

        What is marked is an organisation.
        """
        for number, author in parts(self.fields.get("authors")):
            marked = isinstance(author, dict)
            name = author.get("organisation") if marked else author
            if isinstance(name, str):
                yield self.path("authors", number), name, marked

    def texts(self, field: str) -> Iterator[tuple[Path, str]]:
        """Yield each text of the field's list or mapping, and the way to it."""
        for key, text in parts(self.fields.get(field)):
            if isinstance(text, str):
                yield self.path(field, key), text


def parts(value: Any) -> Iterable[tuple[str | int, Any]]:
    """Return the numbered items of a list, the named ones of a mapping, or none."""
    if isinstance(value, list):
        return enumerate(value)
    return value.items() if isinstance(value, dict) else ()


def below(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield whatever lists and mappings hold, at any depth, and the way to it."""
    for key, part in parts(value):
        yield (*path, key), part
        if not isinstance(part, str):
            yield from below(part, (*path, key))


@dataclass(frozen=True)
class Draft:
    """The entries, and what they are held against."""

    data: Any
    implemented: frozenset[str]
    today: datetime.date
    items: list[Item]

    @classmethod
    def of(cls, data: Any, implemented: frozenset[str], today: datetime.date) -> Draft:
        """Gather every entry that is a mapping, in the order of the file."""
        sections = data if isinstance(data, dict) else {}
        items = [
            Item(section.key, number, fields)
            for section in SECTIONS
            for number, fields in parts(sections.get(section.key))
            if isinstance(number, int) and isinstance(fields, dict)
        ]
        return cls(data, implemented, today, items)

    @property
    def tags(self) -> dict[str, Any]:
        """The vocabulary of tags, empty where the file has no good one."""
        return self.mapping("tags")

    def mapping(self, name: str) -> dict[str, Any]:
        """Return a mapping at the top of the file, empty where it has no good one."""
        found = self.data.get(name) if isinstance(self.data, dict) else None
        return found if isinstance(found, dict) else {}

    @property
    def knows_every_paper(self) -> bool:
        """Return whether all publications could be read as far as their ids."""
        papers = self.data.get("publications") if isinstance(self.data, dict) else None
        return isinstance(papers, list) and all(
            isinstance(paper, dict) and isinstance(paper.get("id"), str)
            for paper in papers
        )

    def where(self, path: Path) -> str:
        """Put a path in words: maf, authors #2."""
        words = [] if path and isinstance(path[0], str) else ["the file"]
        for step in path:
            if isinstance(step, int):
                words[-1] += f" #{step + 1}"
            else:
                words.append(step or '""')
        if path[:2] in self._names:
            words[0] = self._names[path[:2]]
        return ", ".join(word[:60] for word in words)

    @cached_property
    def _names(self) -> dict[Path, str]:
        return {item.path(): item.name for item in self.items}
