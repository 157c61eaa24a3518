"""Any catalogue that loads is rendered, and every rendering says the same of it."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
import yaml
from bs4 import BeautifulSoup, Tag
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from scripts import readme
from scripts.base.dates import long_date
from scripts.base.text import people, plain
from scripts.catalogue import Catalogue, CatalogueError, Publication, parse
from scripts.catalogue.notes import note_faults
from scripts.catalogue.sections import FURTHER, KEYS
from scripts.exports import to_atom
from scripts.site import pages as site
from tests.scripts.exports.test_atom import check_atom, feed_id
from tests.scripts.exports.test_bibtex import check_bibtex
from tests.scripts.exports.test_exports import check_csv, check_json
from tests.scripts.outputs.test_inert import body_html
from tests.support.editions import edition_of
from tests.support.hostile import PROJECT
from tests.support.payloads import AUTHOR, NOTE, PAYLOADS, TEXT, Field

TODAY = datetime.date(2026, 1, 31)
NOWHERE = Path("no implementations")
ATOM = {"a": "http://www.w3.org/2005/Atom"}


def known(kind: Field) -> st.SearchStrategy[str]:
    """The corpus's texts for this kind of field."""
    return st.sampled_from([p.text for p in PAYLOADS.values() if kind in p.admitted])


seen = st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])
syntax = st.sampled_from([*"\\`*_{}[]()<>#+-.!|~$&:;=?@^/'\"%, ", "https://", " and "])
free = st.lists(syntax | seen, min_size=1, max_size=15).map("".join).filter(str.strip)
texts = known(TEXT) | free
authors = (
    known(AUTHOR)
    | free.filter(lambda name: not re.search("[,;&]|and", name))
    | st.builds(lambda name: {"organisation": name}, texts)
)
paths = st.text("abz09-_.~!$&'()*+,;=:@%/?#[]", max_size=20)
pieces = st.lists(
    known(NOTE)
    | free
    | st.builds("[{}](https://a.org/{})".format, free, paths)
    | st.builds("`{}`".format, free),
    min_size=1,
    max_size=3,
)
notes = pieces.map(" ".join).filter(lambda note: not [*note_faults(note)])
days = st.dates(datetime.date(1990, 1, 1), TODAY).map(str)
dates = days | days.map(lambda day: day[:7]) | days.map(lambda day: day[:4])


@st.composite
def entries(draw: st.DrawFn, name: str) -> dict[str, Any]:
    entry = {
        "id": name,
        "title": draw(texts),
        "authors": draw(st.lists(authors, min_size=1, max_size=3)),
        "date": draw(dates),
        "url": f"https://{name.replace('_', '')}.org/{draw(paths)}",
        "note": draw(notes),
        "tags": ["flows"],
        "added": draw(days),
        "venue": draw(texts),
        "affiliation": draw(texts),
        "links": {draw(texts): f"https://{name}.net/{draw(paths)}"},
    }
    left_out = draw(st.sets(st.sampled_from(["venue", "affiliation", "links"])))
    return {field: value for field, value in entry.items() if field not in left_out}


@st.composite
def files(draw: st.DrawFn) -> str:
    """A whole resources.yaml, most of whose texts the rules admit."""
    content: dict[str, Any] = {"tags": {"flows": draw(texts)}}
    for section in KEYS:
        names = [
            f"{section[0]}{n}"
            for n in range(draw(st.integers(section == "publications", 2)))
        ]
        found = [draw(entries(name)) for name in names]
        for entry in found:
            entry |= {"implementation": "wanted"} if section == "publications" else {}
            software = {"kind": "package", "languages": [draw(texts)]}
            entry |= software if section == "code" else {}
        content[section] = sorted(found, key=lambda entry: entry["date"])
    return json.dumps(content, ensure_ascii=False)


def load(text: str) -> Catalogue | None:
    """Load a file, unless the rules refuse one of its texts."""
    try:
        return parse(text.encode("utf-8"), "resources.yaml", NOWHERE, TODAY)
    except CatalogueError as error:
        assert error.faults
        return None


def check_readme(catalogue: Catalogue) -> None:
    """Each entry's line and note are read as they were meant."""
    page = MARKDOWN.render(readme.render(catalogue, PROJECT))
    soup = BeautifulSoup(page, "html.parser")
    _, *lists = [h for h in soup.select("h2") if re.search(r"\(\d+\)$", words(h))]
    items = [item for item in soup.select("h2 ~ ul > li") if item.select("a")]
    items = [i for i in items if not str(i.select("a")[0]["href"]).startswith("#")]
    assert len(lists) == len(catalogue.shelves) - 1
    for entry, item in zip(catalogue.entries, items, strict=True):
        at = f" ({entry.affiliation})" if entry.affiliation else ""
        note, labels = one_line(plain(entry.note)), [*entry.links]
        head = (
            f"{long_date(entry.date)} - {entry.title} by {people(entry.authors)}{at}."
        )
        further = entry.shelf == FURTHER
        [link, *others] = item.find_all("a")
        assert words(link) == entry.title
        targets = [unquote(str(a["href"])) for a in (link, *others)]
        expected = {entry.url, *entry.links.values()}
        assert {unquote(url) for url in expected} <= {*targets}
        labels = "".join(f" {label}." for label in labels)
        if further:
            assert words(item) == f"{head} {note}{labels} Implement it."
        else:
            line = item.find("p")
            assert isinstance(line, Tag)
            assert words(line) == head + labels
            assert [words(quote) for quote in item.select("blockquote")] == [note]


MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def words(element: Tag) -> str:
    return one_line(element.text)


def one_line(text: str) -> str:
    return " ".join(text.split())


def check_dates_of_feed(catalogue: Catalogue) -> None:
    feed = ET.fromstring(to_atom(catalogue, PROJECT))
    contents = {
        item.findtext("a:id", "", ATOM): BeautifulSoup(
            item.findtext("a:content", "", ATOM), "html.parser"
        ).text
        for item in feed.findall("a:entry", ATOM)
    }
    for entry in catalogue.entries:
        said = f"{people(entry.authors)} · {long_date(entry.date)}"
        assert contents[feed_id(entry.id)].startswith(said)


def check_described(page: str, paper: Publication) -> None:
    """The page tells search engines, in its front matter, of the authors."""
    _, front_matter, _ = page.split("---\n", 2)
    described = yaml.safe_load(front_matter)["structured"]
    described = json.loads(described) if isinstance(described, str) else described
    assert described["author"] == [
        {
            "@type": "Person" if isinstance(author, str) else "Organization",
            "name": str(author),
        }
        for author in paper.authors
    ]


def check_pages(catalogue: Catalogue) -> None:
    pages = site.generated(edition_of(catalogue))
    listed = BeautifulSoup(body_html(pages["list.md"]), "html.parser")
    headings = [words(heading) for heading in listed.select("article > h3")]
    # Under each heading the newest stands first.
    assert headings == [
        entry.title for shelf in catalogue.shelves.values() for entry in reversed(shelf)
    ]
    for paper in catalogue.publications:
        check_described(pages[f"papers/{paper.id}.md"], paper)
        page = BeautifulSoup(body_html(pages[f"papers/{paper.id}.md"]), "html.parser")
        [heading] = page.select("h1")
        assert words(heading).removesuffix("¶") == paper.title
        assert f"{long_date(paper.date)} · {people(paper.authors)}" in words(page)


CHECKS: list[Callable[[Catalogue], None]] = [
    *(check_json, check_csv, check_bibtex, check_atom, check_dates_of_feed),
    *(check_readme, check_pages),
]


def check(text: str) -> bool:
    """Hold each rendering against the catalogue; say whether there was one."""
    catalogue = load(text)
    if catalogue is None:
        return False
    for check in CHECKS:
        check(catalogue)
    return True


few = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.thorough
@few
@given(files())
def test_what_loads_is_rendered_and_every_rendering_agrees(text: str) -> None:
    check(text)


@pytest.mark.long
@settings(few, max_examples=5_000, derandomize=False)
@given(files())
def test_what_loads_is_rendered_and_every_rendering_agrees_at_length(text: str) -> None:
    check(text)


@pytest.mark.thorough
def test_most_of_these_catalogues_load() -> None:
    loaded: list[bool] = []

    @few
    @given(files())
    def draw(text: str) -> None:
        loaded.append(load(text) is not None)

    draw()
    assert sum(loaded) > len(loaded) / 2
