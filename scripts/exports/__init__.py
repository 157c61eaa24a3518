"""The catalogue for other programs: JSON, BibTeX, CSV and an Atom feed."""

from __future__ import annotations

import csv
import datetime
import io
import re
import uuid
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

from markupsafe import Markup
from pydantic_core import to_json as dump_json

from scripts.base.dates import long_date
from scripts.base.project import Project
from scripts.base.text import html, html_note, html_people, plain
from scripts.catalogue import Catalogue, Entry, Publication
from scripts.catalogue.sections import FURTHER
from scripts.exports.bibtex import bibtex_entry

FEED_LENGTH = 50
# Drawn once, never to change: feed readers show an entry with another id as a new one.
FEED_ID = uuid.UUID("d31746df-4884-4bff-a122-8cba68bc942f")
_EPOCH = datetime.date(1970, 1, 1)


def _page(entry: Entry, project: Project) -> str:
    """Where our site speaks of the entry: a paper's own page, else the list."""
    if isinstance(entry, Publication):
        return project.page(f"papers/{entry.id}/")
    return project.page(f"list/#{entry.id}")


def _notebook(entry: Entry, project: Project) -> dict[str, str]:
    if not (isinstance(entry, Publication) and entry.implemented):
        return {}
    return {
        "notebook": project.page(f"notebooks/{entry.id}/"),
        "colab": project.colab(f"docs/notebooks/{entry.id}.ipynb"),
    }


def _record(entry: Entry, project: Project) -> dict[str, Any]:
    """Every field of the entry, its section, and the addresses that we give it."""
    return {
        "section": entry.shelf.key,
        **dict(entry),
        "date": str(entry.date),
        "page": _page(entry, project),
        **_notebook(entry, project),
    }


def to_json(catalogue: Catalogue, project: Project) -> str:
    """Write everything as JSON: the list's `name` and `url`, its `tags`, its `entries`.

    `tags` maps each tag to its sentence, `groups` each group to its tags, and
    `aliases` what readers search for to an id or a tag. An entry has its `section`
    (publications, further_reading, videos, blogs or code), every field that it has in
    resources.yaml by the same name (null where it has none), and `page`, its place on
    our website; a publication that is no further reading has `notebook` and `colab`.
    An author is a name, or `organisation` and its name. Dates are ISO 8601, cut to
    what is known of them (2020-02, 2020); a note keeps its `[label](address)` links
    and its code between backticks.
    """
    content = {
        "name": project.name,
        "url": project.page(""),
        "tags": catalogue.tags,
        "groups": catalogue.groups,
        "aliases": catalogue.aliases,
        "entries": [_record(entry, project) for entry in catalogue.entries],
    }
    return dump_json(content, indent=2).decode("utf-8") + "\n"


_COLUMNS = (
    "section id title authors date url note tags added venue affiliation links papers "
    "kind languages frameworks implementation page notebook colab"
).split()


def to_csv(catalogue: Catalogue, project: Project) -> str:
    """One row per entry, columns named as in the JSON; RFC 4180, no byte order mark.

    Lists are joined by "; ", links written as "label: address". A cell that a
    spreadsheet would run as a formula gets an apostrophe in front; it is no part of
    the value.
    """
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(_COLUMNS)
    for entry in catalogue.entries:
        record = _record(entry, project)
        writer.writerow([_cell(record.get(column)) for column in _COLUMNS])
    return table.getvalue()


# Full-width forms too: spreadsheets in East Asian locales run them.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case tuple():
            text = "; ".join(map(str, value))
        case dict():
            text = "; ".join(f"{label}: {url}" for label, url in value.items())
        case _:
            text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def to_bibtex(catalogue: Catalogue, project: Project) -> str:
    """One BibTeX entry per publication, its id as the key; further reading follows."""
    papers = (entry for entry in catalogue.entries if isinstance(entry, Publication))
    return "\n".join(bibtex_entry(paper) for paper in papers)


def to_atom(catalogue: Catalogue, project: Project) -> str:
    """Write what is new as an Atom feed (RFC 4287): the latest `FEED_LENGTH` entries.

    Latest by `added`, then by date. The `updated` of an entry is the day it was added;
    the feed's is its newest entry's, so that only a new entry changes the feed.
    """
    latest = sorted(catalogue.entries, key=lambda e: (e.added, e.date), reverse=True)
    day = latest[0].added if latest else _EPOCH
    attributes = {"xmlns": "http://www.w3.org/2005/Atom", "xml:lang": "en"}
    feed = ET.Element("feed", attributes)
    _child(feed, "title", project.name)
    _child(feed, "id", f"urn:uuid:{FEED_ID}")
    _child(feed, "updated", _midnight(day))
    _child(_child(feed, "author"), "name", project.name)
    _child(feed, "link", rel="self", href=project.page("feed.xml"))
    _child(feed, "link", rel="alternate", href=project.page(""))
    for entry in latest[:FEED_LENGTH]:
        _add_to_feed(feed, entry, project)
    ET.indent(feed)
    return ET.tostring(feed, encoding="unicode", xml_declaration=True) + "\n"


def _add_to_feed(feed: ET.Element, entry: Entry, project: Project) -> None:
    # No `published`: feed readers would sort a paper from 2014 that is new here last.
    item = _child(feed, "entry")
    _child(item, "title", entry.title)
    _child(item, "id", f"urn:uuid:{uuid.uuid5(FEED_ID, entry.id)}")
    _child(item, "updated", _midnight(entry.added))
    for author in entry.authors:
        _child(_child(item, "author"), "name", str(author))
    _child(item, "link", rel="alternate", href=_page(entry, project))
    _child(item, "link", rel="related", href=entry.url)
    for tag in entry.tags:
        _child(item, "category", term=tag)
    _child(item, "summary", plain(entry.note))
    _child(item, "content", _html(entry, project), type="html")


def _html(entry: Entry, project: Project) -> Markup:
    """Who, when and where; the note; every address of the entry."""
    byline = [html_people(entry.authors), long_date(entry.date)]
    byline += [html(entry.venue)] if entry.venue else []
    ours = _notebook(entry, project).items()
    links = [
        (entry.title, entry.url),
        *((name.capitalize(), url) for name, url in ours),
        *entry.links.items(),
    ]
    if entry.shelf == FURTHER:
        links.append(("Implement it", project.how_to_implement))
    anchor = Markup('<a href="{}">{}</a>')
    anchors = (anchor.format(url, html(name)) for name, url in links)
    return Markup("<p>{}</p><p>{}</p><p>{}</p>").format(
        Markup(" · ").join(byline),
        html_note(entry.note),
        Markup(" · ").join(anchors),
    )


_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _child(
    parent: ET.Element, tag: str, text: str = "", **attributes: str
) -> ET.Element:
    """Append an element; characters that no XML document may hold are left out."""
    legal = {name: _NOT_XML.sub("", value) for name, value in attributes.items()}
    child = ET.SubElement(parent, tag, legal)
    child.text = _NOT_XML.sub("", text) or None
    return child


def _midnight(day: datetime.date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


EXPORTS: dict[str, Callable[[Catalogue, Project], str]] = {
    "catalogue.json": to_json,
    "catalogue.bib": to_bibtex,
    "catalogue.csv": to_csv,
    "feed.xml": to_atom,
}
