"""Each hostile text in each field: loaded as it stands, or refused at its place."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from scripts.catalogue import Catalogue, CatalogueError, invisible, parse
from tests.support.payloads import (
    ADDRESS,
    AUTHOR,
    ID,
    NOTE,
    NOWHERE,
    PAYLOADS,
    TEXT,
    cases,
)
from tests.support.payloads import Field as Kind

GOOD = """\
tags:
  graphs: "meaning of a tag"
  images: "meaning of another"
  unused: "meaning of a third"
publications:
  - id: "paper"
    title: "title of a paper"
    authors: ["author of a paper", "Ada Byron"]
    affiliation: "affiliation of a paper"
    date: "2014-10-30"
    url: "https://example.org/paper"
    venue: "venue of a paper"
    links:
      "label of a link": "https://example.org/link"
    tags: ["graphs"]
    added: "2025-01-02"
    implementation: "wanted"
    note: "note of a paper"
videos:
  - id: "video"
    title: "title of a video"
    authors: ["author of a video"]
    date: "2019-01-02"
    url: "https://example.org/video"
    papers: ["paper"]
    tags: ["graphs", "images"]
    added: "2025-01-02"
    note: "note of a video"
blogs:
  - id: "blog"
    title: "title of a blog"
    authors: ["author of a blog"]
    date: "2019-01-02"
    url: "https://example.org/blog"
    tags: ["graphs"]
    added: "2025-01-02"
    note: "note of a blog"
code:
  - id: "code_of_flows"
    title: "title of code"
    authors: ["author of code"]
    date: "2019-01-02"
    url: "https://example.org/code"
    kind: "package"
    languages: ["language of code"]
    frameworks: ["framework of code"]
    tags: ["graphs"]
    added: "2025-01-02"
    note: "note of code"
"""

# What stands in the good catalogue once, and the kind of its field.
FIELDS = {
    **{f'"title of {it}"': TEXT for it in ("a paper", "a video", "a blog", "code")},
    **{f'"author of {it}"': AUTHOR for it in ("a paper", "a video", "a blog", "code")},
    **{f'"note of {it}"': NOTE for it in ("a paper", "a video", "a blog", "code")},
    **{f'"https://example.org/{it}"': ADDRESS for it in ("paper", "link", "video")},
    **{f'"{it} of a paper"': TEXT for it in ("affiliation", "venue")},
    **{f'"{it} of code"': TEXT for it in ("language", "framework")},
    '"label of a link"': TEXT,
    '"meaning of a tag"': TEXT,
    '"2014-10-30"': NOWHERE,
    '"wanted"': NOWHERE,
    '"blog"': ID,
    '"images"': NOWHERE,
    "unused": ID,
}


def quoted(text: str) -> str:
    """Write the text in double quotes, such that YAML reads it as itself."""
    plain = (c if c.isprintable() and c not in '"\\' else escaped(c) for c in text)
    return f'"{"".join(plain)}"'


def escaped(character: str) -> str:
    return f"\\U{ord(character):08x}"


class Stretch(NamedTuple):
    """Where a value stands: its line, its first column and the one behind it.

    There YAML tells that a key is too long to be one.
    """

    line: int
    start: int
    end: int

    def holds(self, line: int, column: int) -> bool:
        return line == self.line and self.start <= column <= self.end


def put(text: str, field: str) -> tuple[str, Stretch]:
    """Put the text in the place of what the good catalogue has."""
    before, _, after = GOOD.partition(field)
    line, start = before.count("\n") + 1, len(before) - before.rfind("\n")
    return before + quoted(text) + after, Stretch(
        line, start, start + len(quoted(text))
    )


def load(text: str) -> Catalogue:
    today = datetime.date(2026, 1, 31)
    content = text.encode("utf-8", "surrogatepass")
    return parse(content, "resources.yaml", Path("no implementations"), today)


@pytest.mark.sampled
@pytest.mark.parametrize("name", cases())
def test_a_text_is_admitted_or_refused_at_its_place(name: str) -> None:
    payload = PAYLOADS[name]
    for field, kind in FIELDS.items():
        content, place = put(payload.text, field)
        try:
            loaded = load(content).model_dump_json()
        except CatalogueError as error:
            assert not kind & payload.admitted, f"{field}: {error}"
            for fault in error.faults:
                assert place.holds(fault.line, fault.column), str(fault)
                assert len(str(fault)) < 400
                assert not invisible.places(str(fault))
        else:
            assert kind & payload.admitted, f"{field} admits it"
            assert Catalogue.model_validate_json(loaded).model_dump_json() == loaded
            assert one_line(payload.text) in texts(load(content)), field


def one_line(text: str) -> str:
    return " ".join(text.split())


def texts(catalogue: Catalogue) -> set[str]:
    """Every text of the catalogue."""
    found = {*catalogue.tags, *catalogue.tags.values()}
    for entry in catalogue.entries:
        for value in dict(entry).values():
            found |= {value} if isinstance(value, str) else set()
            found |= {*value} if isinstance(value, tuple) else set()
            found |= {*value, *value.values()} if isinstance(value, dict) else set()
    return found


@pytest.mark.sampled
@pytest.mark.parametrize("name", cases())
def test_a_text_without_quotes_is_read_or_refused_in_the_file(name: str) -> None:
    """Its YAML may mean something, but nothing outside its field."""
    text = PAYLOADS[name].text[:2_000].encode("utf-8", "replace").decode("utf-8")
    for field in FIELDS:
        before, _, after = GOOD.partition(field)
        content = before + text + after
        lines = content.split("\n")
        try:
            catalogue = load(content)
        except CatalogueError as error:
            for fault in error.faults:
                assert 1 <= fault.line <= len(lines), str(fault)
                assert 1 <= fault.column <= len(lines[fault.line - 1]) + 1, str(fault)
                assert not invisible.places(str(fault))
        else:
            assert [entry.id for entry in catalogue.entries][1:2] == ["video"]


def test_each_field_stands_in_the_good_catalogue() -> None:
    load(GOOD)
    for field in FIELDS:
        assert field in GOOD


def test_there_are_at_least_sixty_and_each_field_has_some() -> None:
    assert len(PAYLOADS) >= 60
    for kind in Kind:
        admitted = [p for p in PAYLOADS.values() if kind & p.admitted]
        assert len(admitted) > (0 if kind is ID else 10)
    assert len({payload.text for payload in PAYLOADS.values()}) == len(PAYLOADS)
