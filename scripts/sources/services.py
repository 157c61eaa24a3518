"""Facts about a work, as arXiv, Crossref, YouTube and GitHub know them.

Their answers are taken for what they are, anybody's text: whatever has another shape
than expected is as good as missing.
"""

from __future__ import annotations

import datetime
import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

from scripts.base.dates import PartialDate
from scripts.catalogue import invisible
from scripts.catalogue.names import Author, Organisation, joined
from scripts.sources.web import Web, WebError
from scripts.sources.works import Work

_LONGEST = 1_000  # No title, name or venue has as many characters.
_MOST = 5_000  # The largest collaborations have 3,000 authors.


@dataclass(frozen=True)
class Facts:
    """The facts known of a work, "" for any other. The date is ISO, or part of it.

    `marked` says that the organisations among the authors are known as such.
    `categories` are what the service files it under.
    """

    title: str = ""
    authors: tuple[Author, ...] = ()
    date: str = ""
    venue: str = ""
    language: str = ""
    marked: bool = False
    categories: tuple[str, ...] = ()


class Repository(NamedTuple):
    """The upkeep of a repository: the day of its last change, "" if it is not told."""

    pushed: str
    archived: bool
    licence: str


@dataclass(frozen=True)
class Services:
    """The services, each under its address."""

    web: Web
    arxiv: str = "https://export.arxiv.org/api/query"
    crossref: str = "https://api.crossref.org/works"
    youtube: str = "https://www.youtube.com/oembed"
    github: str = "https://api.github.com"

    def facts(self, work: Work) -> Facts:
        """Ask the service that knows the work; raises WebError when it does not tell.

        Nobody is asked about a page that belongs to none of them.
        """
        ask: dict[str, Callable[[str], Facts]] = {
            "arxiv": self._arxiv,
            "doi": self._crossref,
            "youtube": self._youtube,
            "github": self._github,
        }
        return ask[work.kind](work.name) if work.kind in ask else Facts()

    def upkeep(self, name: str) -> Repository:
        """Ask GitHub how a repository is kept; raises WebError as `facts` does."""
        answer = _mapping(self.web.json(f"{self.github}/repos/{quote(name)}"))
        licence = clean(_mapping(answer.get("license")).get("spdx_id"))
        return Repository(
            _day(answer.get("pushed_at")),
            answer.get("archived") is True,
            "" if licence == "NOASSERTION" else licence,
        )

    def _arxiv(self, name: str) -> Facts:
        query = urlencode({"id_list": name, "max_results": 1})
        return _arxiv_facts(self.web.text(f"{self.arxiv}?{query}", "xml"), name)

    def _crossref(self, name: str) -> Facts:
        answer = self.web.json(f"{self.crossref}/{quote(name, safe='')}")
        work = _mapping(_mapping(answer).get("message"))
        if str(work.get("DOI")).lower() != name.lower():
            raise WebError("Crossref did not answer about this DOI")
        return Facts(
            title=_first(work.get("title")),
            authors=tuple(_authors(work.get("author"))),
            date=_earliest(work),
            venue=_first(work.get("container-title")),
            marked=True,
        )

    def _youtube(self, name: str) -> Facts:
        video = f"https://www.youtube.com/watch?v={name}"
        query = urlencode({"url": video, "format": "json"})
        answer = _mapping(self.web.json(f"{self.youtube}?{query}"))
        channel = _name(answer.get("author_name"))
        return Facts(clean(answer.get("title")), (channel,) if channel else ())

    def _github(self, name: str) -> Facts:
        answer = _mapping(self.web.json(f"{self.github}/repos/{quote(name)}"))
        owner = clean(_mapping(answer.get("owner")).get("login"))
        person = {}
        if owner:
            person = _mapping(self.web.json(f"{self.github}/users/{quote(owner)}"))
        kind = person.get("type")
        if kind == "Organization":
            name = _organisation(person.get("name")) or owner
            author = Organisation(organisation=name)
        else:
            author = _name(person.get("name")) or owner
        return Facts(
            title=clean(answer.get("name")),
            authors=(author,) if author else (),
            marked=kind in ("Organization", "User"),
            date=_day(answer.get("created_at")),
            language=clean(answer.get("language")),
            categories=tuple(filter(None, map(clean, _list(answer.get("topics"))))),
        )


def clean(text: Any) -> str:
    """Return a short text as `visible` does, and "" for anything else."""
    short = isinstance(text, str) and len(text) <= _LONGEST
    return visible(text) if short else ""


def visible(text: str) -> str:
    """Return the text on one line, without what cannot be seen."""
    spaced = " ".join(text.split())
    shown = "".join(c for c in spaced if c.isprintable() or c in invisible.JOINERS)
    seen = invisible.without(shown, invisible.places(shown))
    return " ".join(seen.split())


def _name(text: Any) -> str:
    # Authors are told apart by commas; a "Jr." does without.
    return clean(re.sub(r"[,;]", " ", clean(text)))


def _organisation(text: Any) -> str:
    # Organisations are told apart by semicolons.
    return clean(text).replace(";", ",")


_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"


def _arxiv_facts(answer: str, name: str) -> Facts:
    # Entities may grow without bound; arXiv declares none.
    if "<!DOCTYPE" in answer or "<!ENTITY" in answer:
        raise WebError("arXiv sent a document type, which is refused")
    try:
        feed = ElementTree.fromstring(answer)
    except ElementTree.ParseError:
        raise WebError("arXiv sent broken XML") from None
    entry = feed.find(f"{_ATOM}entry")
    if entry is None or not _is_about(entry, name):
        raise WebError(f"arXiv knows no {name}: check the number")
    authors = (_name(a.findtext(f"{_ATOM}name")) for a in entry.iter(f"{_ATOM}author"))
    return Facts(
        title=clean(entry.findtext(f"{_ATOM}title")),
        authors=tuple(filter(None, authors))[:_MOST],
        date=_day(entry.findtext(f"{_ATOM}published")),
        venue=clean(entry.findtext(f"{_ARXIV}journal_ref")),
        categories=tuple(_terms(entry))[:_MOST],
    )


def _terms(entry: ElementTree.Element) -> Iterator[str]:
    for category in entry.iter(f"{_ATOM}category"):
        if term := clean(category.get("term")):
            yield term


def _is_about(entry: ElementTree.Element, name: str) -> bool:
    address = entry.findtext(f"{_ATOM}id") or ""
    found = re.fullmatch(r"https?://arxiv\.org/abs/(\S+?)(?:v\d+)?", address)
    return bool(found) and found[1].lower() == name.lower()


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value[:_MOST] if isinstance(value, list) else []


# Crossref keeps the markup of titles that came with some.
_markup = re.compile(r"</?(?:i|b|u|em|strong|sub|sup|scp|tt|span|jats:\w+)\b[^<>]*>")


def _first(value: Any) -> str:
    texts = (text for text in _list(value) if isinstance(text, str))
    text = next(texts, "")
    # Too long is told before it is searched.
    return clean(html.unescape(_markup.sub("", text))) if clean(text) else ""


def _authors(people: Any) -> Iterator[Author]:
    for person in map(_mapping, _list(people)):
        parts = (_name(person.get(part)) for part in ("given", "family", "suffix"))
        if name := joined(*parts):
            yield name
        elif organisation := _organisation(person.get("name")):
            yield Organisation(organisation=organisation)


def _earliest(work: dict[str, Any]) -> str:
    """Return the earliest date of publication, as much of it as is known."""
    fields = ("published-online", "published-print", "published", "issued")
    dates = [date for field in fields if (date := _date_parts(work.get(field)))]
    earliest = min(dates, default="")
    # Another field may know the day of the same month or year.
    same = [date for date in dates if date.startswith(earliest)]
    most = max(map(len, same), default=0)
    return min((date for date in same if len(date) == most), default="")


def _date_parts(date: Any) -> str:
    parts = next(iter(_list(_mapping(date).get("date-parts"))), None)
    numbers = takewhile(lambda part: type(part) is int, _list(parts)[:3])
    try:
        return str(PartialDate(*numbers))
    except (TypeError, ValueError, OverflowError):
        return ""


def _day(time: Any) -> str:
    day = time[:10] if isinstance(time, str) else ""
    try:
        return datetime.date.fromisoformat(day).isoformat()
    except ValueError:
        return ""
