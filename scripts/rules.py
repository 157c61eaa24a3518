"""What entries must keep to beyond their shape: one function per rule.

Rules read the raw data, so that a fault in one field hides none in another; a value of
the wrong kind has been reported already, and they pass over it.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator

from scripts import addresses
from scripts.draft import SECTIONS, Draft, Item, parts
from scripts.faults import Finding, Path, did_you_mean, quote
from scripts.notes import note_faults


def emptiness(draft: Draft) -> Iterator[Finding]:
    """Refuse fields and items that are written but empty."""
    values = [
        (item.path(field), value)
        for item in draft.items
        for field, value in item.fields.items()
    ]
    values += [(("tags", tag), sentence) for tag, sentence in draft.tags.items()]
    for path, value in values:
        if value in ("", [], {}):
            yield Finding(path, "is empty", "write something, or remove it")
        for key, part in parts(value):
            if part == "":
                yield Finding((*path, key), "is empty", "write something, or remove it")


def ids(draft: Draft) -> Iterator[Finding]:
    """Refuse ids that could not name a Python module in lower case."""
    for item in draft.items:
        identity = item.text("id")
        if identity and not re.fullmatch(r"[a-z][a-z0-9_]*", identity):
            problem = f"{quote(identity)} is not an id"
            fix = f'begin with one of a-z, go on with a-z, 0-9 and _: "{_id(identity)}"'
            yield Finding(item.path("id"), problem, fix)


def _id(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
    return words if words[:1].isalpha() else f"the_{words}".rstrip("_")


def unique_ids(draft: Draft) -> Iterator[Finding]:
    """Refuse ids that name two entries of the file."""
    seen: dict[str, Item] = {}
    for item in draft.items:
        first = seen.setdefault(item.name, item)
        if first is not item:
            place = f"{first.section} #{first.number + 1}"
            yield Finding(
                item.path("id"), f"is the id of {place} too", "choose another"
            )


def dates(draft: Draft) -> Iterator[Finding]:
    """Refuse dates that are not ISO, or of a day that has begun nowhere on Earth."""
    # `today` is UTC; the first time zone is fourteen hours ahead.
    latest = draft.today + datetime.timedelta(days=1)
    for item in draft.items:
        for field in ("date", "added"):
            text = item.text(field)
            if text and (fault := _date_fault(text, latest)):
                yield Finding(item.path(field), *fault)


_iso = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


def _date_fault(text: str, latest: datetime.date) -> tuple[str, str] | None:
    if not _iso(text):
        return f"{quote(text)} is not an ISO date", "write it as in 2018-07-09"
    try:
        date = datetime.date.fromisoformat(text)
    except ValueError:
        return f"{text} is not in the calendar", "check year, month and day"
    if date > latest:
        return f"{text} lies in the future", "check year, month and day"
    return None


def order(draft: Draft) -> Iterator[Finding]:
    """Refuse entries out of their section's order of date, the oldest first."""
    for section in SECTIONS:
        dated = [
            item
            for item in draft.items
            if item.section == section and _iso(item.text("date") or "")
        ]
        stay = _longest_order([item.fields["date"] for item in dated])
        staying = [item for item, stays in zip(dated, stay, strict=True) if stays]
        for item, stays in zip(dated, stay, strict=True):
            if not stays:
                yield _misplaced(item, staying)


def _misplaced(item: Item, staying: list[Item]) -> Finding:
    date = item.fields["date"]
    after = bisect_right([other.fields["date"] for other in staying], date)
    fix = (
        f"move the entry below {staying[after - 1].name}"
        if after
        else f"move the entry above {staying[0].name}"
    )
    return Finding(item.path("date"), f"{date} is out of order", fix)


def _longest_order(dates: list[str]) -> list[bool]:
    """Mark a longest non-decreasing subsequence: all others are out of place."""
    ends: list[str] = []
    lengths = []
    for date in dates:
        length = bisect_right(ends, date)
        ends[length : length + 1] = [date]
        lengths.append(length)
    wanted = len(ends) - 1
    marks = [False] * len(dates)
    bound = "9999-99-99"
    for place in reversed(range(len(dates))):
        if lengths[place] == wanted and dates[place] <= bound:
            marks[place], wanted, bound = True, wanted - 1, dates[place]
    return marks


def authors(draft: Draft) -> Iterator[Finding]:
    """Refuse authors who stand for others, and several in one item."""
    for item in draft.items:
        for path, author in item.texts("authors"):
            if re.search(r"\bet\.?\s*al\b|\band others\b", author, re.IGNORECASE):
                problem = f"{quote(author)} leaves authors out"
                yield Finding(path, problem, "name every author, one per item")
            elif _joined(author):
                problem = (
                    f"{quote(author)} looks like several authors, or a surname first"
                )
                yield Finding(
                    path, problem, "write one author per item, as in Ada Byron"
                )


def _joined(author: str) -> bool:
    # An organisation may have an "and" in its name: The Arts and Sciences Lab.
    marks = r"[,;]" if author.startswith("The ") else r"[,;&]|\band\b"
    return bool(re.search(marks, author))


def repetitions(draft: Draft) -> Iterator[Finding]:
    """Refuse lists that name the same thing twice."""
    for item in draft.items:
        for field in ("authors", "tags", "papers"):
            seen = set()
            for path, text in item.texts(field):
                if text in seen:
                    yield Finding(path, f"{quote(text)} is there twice", "remove one")
                seen.add(text)


def urls(draft: Draft) -> Iterator[Finding]:
    """Refuse addresses that are not plain https ones."""
    for item in draft.items:
        for path, address in _urls(item):
            if fault := addresses.fault(address):
                yield Finding(path, f"{quote(address)} {fault[0]}", fault[1])


def _urls(item: Item) -> Iterator[tuple[Path, str]]:
    if url := item.text("url"):
        yield item.path("url"), url
    yield from ((path, url) for path, url in item.texts("links") if url)


def duplicate_urls(draft: Draft) -> Iterator[Finding]:
    """Refuse entries, and links of one entry, that lead to the same place."""
    entries: dict[str, Item] = {}
    for item in draft.items:
        here: set[str] = set()
        for path, address in _urls(item):
            place = addresses.place(address)
            if not place:
                continue
            if place in here:
                yield Finding(
                    path, "leads to where this entry led already", "remove it"
                )
            elif path[2] == "url" and place in entries:
                problem = (
                    f"leads to the same place as the address of {entries[place].name}"
                )
                yield Finding(path, problem, "keep one of the two entries")
            elif path[2] == "url":
                entries[place] = item
            here.add(place)


def titles(draft: Draft) -> Iterator[Finding]:
    """Refuse titles of one section that differ in case and punctuation only.

    A video may be named as the paper that it explains.
    """
    seen: dict[tuple[str, str], Item] = {}
    for item in draft.items:
        title = item.text("title")
        if not title:
            continue
        letters = re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", title).casefold())
        first = seen.setdefault((item.section, letters or title), item)
        if first is not item:
            problem = f"is the title of {first.name} too"
            yield Finding(item.path("title"), problem, "keep one of the two entries")


def tags(draft: Draft) -> Iterator[Finding]:
    """Refuse tags that the top of the file does not explain."""
    known = draft.tags
    for item in draft.items if known else ():
        for path, tag in item.texts("tags"):
            if tag not in known:
                fix = did_you_mean(tag, known, f"known are {', '.join(known)}")
                yield Finding(path, f"{quote(tag)} is not a known tag", fix)


def references(draft: Draft) -> Iterator[Finding]:
    """Refuse references to papers that are not on the list."""
    known = {item.name: item.section for item in draft.items}
    papers = [name for name, section in known.items() if section == "publications"]
    for item in draft.items if draft.knows_every_paper else ():
        for path, paper in item.texts("papers"):
            section = known.get(paper)
            if section is None:
                fix = did_you_mean(paper, papers, "add the publication, or remove this")
                yield Finding(path, f"{quote(paper)} is the id of no publication", fix)
            elif section != "publications":
                problem = f"{quote(paper)} is in {section}, not in publications"
                yield Finding(path, problem, "name the paper that it is about")


def notes(draft: Draft) -> Iterator[Finding]:
    """Refuse notes that are long, or hold more than text, https links and code."""
    for item in draft.items:
        note = item.text("note") or ""
        for problem, fix in note_faults(note):
            yield Finding(item.path("note"), problem, fix)


def implementations(draft: Draft) -> Iterator[Finding]:
    """Refuse publications that neither have nor want an implementation, or do both."""
    for item in draft.items:
        if item.section != "publications" or not item.text("id"):
            continue
        wanted, file = (
            item.fields.get("implementation"),
            f"implementations/{item.name}.py",
        )
        if item.name not in draft.implemented and wanted is None:
            fix = 'write it, or add the line "implementation: wanted"'
            yield Finding(item.path(), f"has no {file}", fix)
        if item.name in draft.implemented and wanted is not None:
            problem = f"is {quote(str(wanted))}, but there is {file}"
            yield Finding(item.path("implementation"), problem, "remove the line")


def orphans(draft: Draft) -> Iterator[Finding]:
    """Refuse implementations without a publication."""
    papers = [item.name for item in draft.items if item.section == "publications"]
    orphans = draft.implemented.difference(papers) if draft.knows_every_paper else ()
    for name in sorted(orphans):
        problem = f"none has the id {quote(name)} of implementations/{name}.py"
        yield Finding(("publications",), problem, "add its entry, or rename the file")


RULES: tuple[Callable[[Draft], Iterator[Finding]], ...] = (
    emptiness,
    ids,
    unique_ids,
    dates,
    order,
    authors,
    repetitions,
    urls,
    duplicate_urls,
    titles,
    tags,
    references,
    notes,
    implementations,
    orphans,
)
