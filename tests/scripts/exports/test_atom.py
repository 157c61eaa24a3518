"""The Atom feed, read back by an XML parser and by a feed reader."""

from __future__ import annotations

import datetime
import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid5
from xml.etree import ElementTree as ET

import feedparser
from hypothesis import given, settings

from scripts.base.dates import PartialDate
from scripts.catalogue import Catalogue, Publication, Video
from scripts.exports import FEED_ID, FEED_LENGTH, to_atom, to_json
from tests.scripts.exports.test_exports import shown
from tests.support.hostile import (
    EVERY_CATALOGUE,
    HOSTILE,
    PROJECT,
    TEXTS,
    catalogue_of,
    entry,
)

ATOM = {"a": "http://www.w3.org/2005/Atom"}


def feed_id(name: str) -> str:
    return f"urn:uuid:{uuid5(FEED_ID, name)}"


def legal(text: str) -> str:
    """Normalise `text` as any XML reader would, without what XML cannot hold."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", lines)


def children(parent: ET.Element, path: str) -> list[str]:
    return [node.text or "" for node in parent.findall(path, ATOM)]


def links(parent: ET.Element) -> dict[str, str]:
    return {
        node.get("rel", ""): node.get("href", "")
        for node in parent.findall("a:link", ATOM)
    }


def check_feed_entry(found: ET.Element, record: dict[str, Any]) -> None:
    assert children(found, "a:title") == [legal(record["title"])]
    assert children(found, "a:id") == [feed_id(record["id"])]
    assert children(found, "a:updated") == [f"{record['added']}T00:00:00Z"]
    assert children(found, "a:author/a:name") == [
        legal(shown(author)) for author in record["authors"]
    ]
    assert links(found) == {"alternate": record["page"], "related": record["url"]}
    terms = [node.get("term") for node in found.findall("a:category", ATOM)]
    assert terms == record["tags"]
    [content] = found.findall("a:content", ATOM)
    assert content.get("type") == "html"
    addresses = re.findall(r'<a href="([^"]*)">', content.text or "")
    wanted = [record["url"], record.get("notebook"), *record["links"].values()]
    assert {url for url in wanted if url} <= set(map(html.unescape, addresses))


def check_atom(catalogue: Catalogue) -> None:
    feed = ET.fromstring(to_atom(catalogue, PROJECT))
    entries = json.loads(to_json(catalogue, PROJECT))["entries"]
    records = {feed_id(e["id"]): e for e in entries}
    assert children(feed, "a:title") == [PROJECT.name]
    assert children(feed, "a:id") == [f"urn:uuid:{FEED_ID}"]
    assert children(feed, "a:author/a:name") == [PROJECT.name]
    assert links(feed) == {
        "self": "https://example.org/list/feed.xml",
        "alternate": "https://example.org/list/",
    }
    assert children(feed, "a:updated") == [max(children(feed, "a:entry/a:updated"))]
    assert sorted(children(feed, "a:entry/a:id")) == sorted(records)
    for found in feed.findall("a:entry", ATOM):
        check_feed_entry(found, records[children(found, "a:id")[0]])


@EVERY_CATALOGUE
def test_atom_has_what_rfc_4287_requires(make: Callable[[], Catalogue]) -> None:
    check_atom(make())


@EVERY_CATALOGUE
def test_atom_pleases_a_feed_reader(make: Callable[[], Catalogue]) -> None:
    feed = feedparser.parse(to_atom(make(), PROJECT).encode("utf-8"))
    assert feed.bozo is False
    assert feed.version == "atom10"
    assert len(feed.entries) == len(list(make().entries))
    for found in feed.entries:
        assert found.updated_parsed.tm_hour == 0
        assert found.content[0].type == "text/html"


def test_atom_content_is_byline_note_and_addresses() -> None:
    links = {"Errata": "https://example.org/?a=1&b=2"}
    paper = entry(Publication, "paper", "Flows", links=links, authors=("A B", "C D"))
    catalogue = catalogue_of("x").model_copy(update={"publications": (paper,)})
    feed = ET.fromstring(to_atom(catalogue, PROJECT))
    assert (
        "<p>A B and C D · Feb 29, 2020 · Flows</p><p>Flows</p>"
        '<p><a href="https://example.org/paper">Flows</a>'
        ' · <a href="https://example.org/list/notebooks/paper/">Notebook</a>'
        ' · <a href="https://colab.research.google.com/github/someone/list'
        '/blob/main/docs/notebooks/paper.ipynb">Colab</a>'
        ' · <a href="https://example.org/?a=1&amp;b=2">Errata</a></p>'
    ) in children(feed, "a:entry/a:content")


def test_atom_content_is_inert_html() -> None:
    markup = HOSTILE["handler"]
    text = to_atom(catalogue_of(markup), PROJECT)
    feed = ET.fromstring(text)
    for content in children(feed, "a:entry/a:content"):
        tags = set(re.findall(r"</?(\w+)", content))
        assert tags == {"p", "a"}
        assert html.escape(markup) in content


def test_atom_summary_is_the_note_without_its_addresses() -> None:
    note = "[a](https://example.org/?q=1&r=2) and `x < y`"
    feed = ET.fromstring(to_atom(catalogue_of(note), PROJECT))
    assert set(children(feed, "a:entry/a:summary")) == {"a and x < y"}


def test_atom_leaves_out_what_xml_cannot_hold() -> None:
    video = entry(Video, "video", tags=("a\x00b",), url="https://example.org/\x1b")
    catalogue = catalogue_of("x").model_copy(update={"videos": (video,)})
    feed = ET.fromstring(to_atom(catalogue, PROJECT))
    assert feed.find("a:entry/a:category[@term='ab']", ATOM) is not None
    assert feed.find("a:entry/a:link[@href='https://example.org/']", ATOM) is not None


def test_atom_lists_the_newest_first_and_stops() -> None:
    # Two papers a day; those that are added later are older.
    start = datetime.date(2021, 1, 1)
    days = [datetime.timedelta(days=i // 2) for i in range(FEED_LENGTH + 10)]
    dates = [start - 2 * day + datetime.timedelta(i % 2) for i, day in enumerate(days)]
    papers = tuple(
        entry(
            Publication,
            f"p{i}",
            added=start + day,
            date=PartialDate(date.year, date.month, date.day),
        )
        for i, (day, date) in enumerate(zip(days, dates, strict=True))
    )
    catalogue = catalogue_of("x").model_copy(update={"publications": papers})
    feed = ET.fromstring(to_atom(catalogue, PROJECT))
    newest = [feed_id(f"p{i}") for i in range(59, 9, -1)]
    assert children(feed, "a:entry/a:id") == newest
    assert children(feed, "a:updated") == [f"{start + days[-1]}T00:00:00Z"]


def ids(feed: str) -> list[str]:
    root = ET.fromstring(feed)
    return [*children(root, "a:id"), *children(root, "a:entry/a:id")]


def test_atom_knows_entries_by_the_same_ids_wherever_the_site_stands() -> None:
    catalogue = catalogue_of("x")
    moved = replace(PROJECT, name="Other", site_url="https://flows.example/")
    assert to_atom(catalogue, moved) != to_atom(catalogue, PROJECT)
    assert ids(to_atom(catalogue, moved)) == ids(to_atom(catalogue, PROJECT))


def test_atom_keeps_its_ids_for_ever() -> None:
    nice = entry(Publication, "nice", "Another title", url="https://example.org/moved")
    catalogue = catalogue_of("x").model_copy(update={"publications": (nice,)})
    assert ids(to_atom(catalogue, PROJECT))[:2] == [
        "urn:uuid:d31746df-4884-4bff-a122-8cba68bc942f",
        "urn:uuid:da279110-cc09-5ccc-9781-fc3c35d7763a",
    ]


def test_atom_of_an_empty_list_is_whole() -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("publications", "videos", "blogs", "code"), ()
    )
    feed = feedparser.parse(
        to_atom(Catalogue.model_construct(tags={}, **nothing), PROJECT).encode("utf-8")
    )
    assert feed.bozo is False
    assert feed.entries == []
    assert feed.feed.updated == "1970-01-01T00:00:00Z"


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_atom_holds_any_text(text: str) -> None:
    check_atom(catalogue_of(text))
