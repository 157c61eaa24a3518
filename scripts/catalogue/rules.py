"""The rules of entries beyond their shape, a function each.

Rules read the raw data, so that a fault in one field hides none in another; a value of
the wrong kind has been reported already, and they pass over it.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator

from scripts.base.dates import PartialDate
from scripts.catalogue import addresses, limits, names
from scripts.catalogue.draft import Draft, Item, below, is_id, nearest_id, parts
from scripts.catalogue.faults import Finding, Path, did_you_mean, quote
from scripts.catalogue.notes import note_faults

_VOCABULARY = ("tags", "groups", "aliases")


def emptiness(draft: Draft) -> Iterator[Finding]:
    """Refuse fields and items that are written but empty."""
    values = [
        (item.path(field), value)
        for item in draft.items
        for field, value in item.fields.items()
    ]
    for name in _VOCABULARY:
        values += [((name, key), value) for key, value in draft.mapping(name).items()]
    for path, value in values:
        if value in ("", [], {}):
            yield Finding(path, "is empty", "fill it in")
        for keys, part in below(value):
            if "" in (keys[-1], part):
                at_key = keys[-1] == ""
                yield Finding((*path, *keys), "is empty", "fill it in", of_key=at_key)


def ids(draft: Draft) -> Iterator[Finding]:
    """Refuse ids that could not name a Python module in lower case."""
    for item in draft.items:
        identity = item.text("id")
        if identity and not is_id(identity):
            problem = f"{quote(identity)} is not made of a-z, 0-9 and _, a letter first"
            fix = f"write it as in {quote(nearest_id(identity))}"
            yield Finding(item.path("id"), problem, fix)


def unique_ids(draft: Draft) -> Iterator[Finding]:
    """Refuse ids that name two entries of the file."""
    seen: dict[str, Item] = {}
    for item in draft.items:
        first = seen.setdefault(item.name, item)
        if first is not item:
            problem = f"is the id of {first.section} #{first.number + 1} too"
            yield Finding(item.path("id"), problem, "choose another")


def dates(draft: Draft) -> Iterator[Finding]:
    """Refuse dates that are not ISO, or of a day that has begun nowhere on Earth."""
    for item in draft.items:
        for field in ("date", "added"):
            text = item.text(field)
            if text and (fault := _date_fault(field, text, draft.today)):
                yield Finding(item.path(field), *fault)


# Of the day on which an entry joins the list, all is known.
_ISO = {
    "added": (r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "write it as in 2018-07-09"),
    "date": (
        r"[0-9]{4}(-[0-9]{2}){0,2}",
        "write it as in 2018-07-09, or 2018-07 or 2018 where no more is known",
    ),
}


def _date_fault(field: str, text: str, today: datetime.date) -> tuple[str, str] | None:
    form, fix = _ISO[field]
    if not re.fullmatch(form, text):
        return f"{quote(text)} is not an ISO date", fix
    try:
        date = PartialDate.parse(text)
    except ValueError:
        return f"{text} is not in the calendar", "check year, month and day"
    # Today is UTC, and clocks are up to fourteen hours ahead of it.
    if date.first > today + datetime.timedelta(days=1):
        return f"{text} lies in the future", "check year, month and day"
    return None


def order(draft: Draft) -> Iterator[Finding]:
    """Refuse entries out of their section's order of date, the oldest first.

    A month comes before its days, a year before its months.
    """
    sections: dict[str, list[tuple[PartialDate, Item]]] = {}
    for item in draft.items:
        text = item.text("date")
        if text and not _date_fault("date", text, draft.today):
            dated = (PartialDate.parse(text), item)
            sections.setdefault(item.section, []).append(dated)
    for dated in sections.values():
        staying = _longest_order([date for date, _ in dated])
        dates = [dated[place][0] for place in staying]
        for place in sorted(set(range(len(dated))).difference(staying)):
            date, item = dated[place]
            after = bisect_right(dates, date)
            neighbour = dated[staying[max(after - 1, 0)]][1].name
            fix = f"move the entry {'below' if after else 'above'} {neighbour}"
            yield Finding(item.path("date"), f"{date} is out of order", fix)


def _longest_order(dates: list[PartialDate]) -> list[int]:
    """Choose a longest non-decreasing subsequence, the earliest of them.

    So one date that is wrong leaves all others in their place, and of two that could
    move it is the later one, which is likely the newcomer.
    """
    ranks = {date: rank for rank, date in enumerate(sorted(set(dates)))}
    ends: list[int] = []  # ends[n]: minus the best start of n + 1 dates in order
    lengths = []
    for date in reversed(dates):
        start = -ranks[date]
        length = bisect_right(ends, start)
        ends[length : length + 1] = [start]
        lengths.append(length)
    chosen: list[int] = []
    for place, length in enumerate(reversed(lengths)):
        follows = not chosen or dates[place] >= dates[chosen[-1]]
        if length == len(ends) - len(chosen) - 1 and follows:
            chosen.append(place)
    return chosen


def authors(draft: Draft) -> Iterator[Finding]:
    """Refuse authors who stand for others, several in one item, and parts of a name."""
    for item in draft.items:
        for path, author, is_organisation in item.authors():
            if _others(author):
                problem = f"{quote(author)} leaves authors out"
                yield Finding(path, problem, "name every author, one per item")
            elif not is_organisation and (fault := _name_fault(author)):
                yield Finding(path, f"{quote(author)} {fault[0]}", fault[1])


_others = re.compile(r"\bet(?:\s+|\.\s*)al\b|\band others\b", re.IGNORECASE).search
_joined = re.compile(r"[,;&]|\band\b").search


def _name_fault(person: str) -> tuple[str, str] | None:
    if names.is_suffix(person):
        return "is the end of a name", 'put the whole name in quotes: "Ada Byron, Jr."'
    if _joined(person) and _joined(names.without_suffix(person)):
        fix = "write one author per item, first name first; an organisation as "
        return "looks like several names", fix + "{organisation: …}"
    return None


_LISTS = ("tags", "papers", "languages", "frameworks")


def repetitions(draft: Draft) -> Iterator[Finding]:
    """Refuse lists that name the same thing twice."""
    for item in draft.items:
        authors = ((path, name) for path, name, _ in item.authors())
        lists = (item.texts(name) for name in _LISTS)
        for texts in (authors, *lists):
            seen = set()
            for path, text in texts:
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
    """Refuse entries that lead to the same place."""
    seen: dict[str, Item] = {}
    for item in draft.items:
        place = addresses.place(item.text("url") or "")
        if place and (first := seen.setdefault(place, item)) is not item:
            problem = f"leads to the same place as the address of {first.name}"
            yield Finding(item.path("url"), problem, "keep one of the two entries")


def duplicate_links(draft: Draft) -> Iterator[Finding]:
    """Refuse links that lead where their entry has led already."""
    for item in draft.items:
        seen: set[str] = set()
        for path, address in _urls(item) if "links" in item.fields else ():
            place = addresses.place(address)
            if place in seen:
                problem = "leads to the same place as another address of the entry"
                yield Finding(path, problem, "remove it")
            seen |= {place} if place else set()


def titles(draft: Draft) -> Iterator[Finding]:
    """Refuse titles of one section that differ in case and punctuation only.

    A video may be named as the paper that it explains.
    """
    seen: dict[tuple[str, str], Item] = {}
    for item in draft.items:
        title = item.text("title")
        if not title:
            continue
        first = seen.setdefault((item.section, letters(title)), item)
        if first is not item:
            problem = f"is the title of {first.name} too"
            yield Finding(item.path("title"), problem, "keep one of the two entries")


def letters(title: str) -> str:
    """Reduce a title to what two spellings of it share."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", title).casefold())


def tags(draft: Draft) -> Iterator[Finding]:
    """Refuse tags that the top of the file does not explain."""
    known = draft.tags
    for item in draft.items if known else ():
        for path, tag in item.texts("tags"):
            if tag not in known:
                otherwise = "choose a known one, or explain it under tags"
                fix = did_you_mean(tag, known, otherwise)
                yield Finding(path, f"{quote(tag)} is not a known tag", fix)


def groups(draft: Draft) -> Iterator[Finding]:
    """Refuse groups of tags that are unknown, and tags in no group or in several."""
    known, given = draft.tags, draft.mapping("groups")
    if not known or not given:
        return
    seen, faultless = dict[str, str](), True
    for group, tags in given.items():
        faultless &= isinstance(tags, list)
        for number, tag in parts(tags):
            if isinstance(tag, str) and tag in known and tag not in seen:
                seen[tag] = group
                continue
            faultless = False
            if isinstance(tag, str):
                fault = _group_fault(tag, seen.get(tag), known)
                yield Finding(("groups", group, number), *fault)
    for tag in known if faultless else ():
        if tag not in seen:
            fix = "name it in one of them"
            yield Finding(("tags", tag), "is in none of the groups", fix, of_key=True)


def _group_fault(
    tag: str, group: str | None, known: Collection[str]
) -> tuple[str, str]:
    if group is not None:
        return f"{quote(tag)} is in {quote(group)} too", "keep it in one of the two"
    fix = did_you_mean(tag, known, "explain it under tags, or remove it")
    return f"{quote(tag)} is not a known tag", fix


def aliases(draft: Draft) -> Iterator[Finding]:
    """Refuse aliases of what is neither an entry nor a tag."""
    known = {*draft.tags, *(item.name for item in draft.items)}
    for alias, name in draft.mapping("aliases").items():
        if isinstance(name, str) and name and name not in known:
            fix = did_you_mean(name, known, "name the entry or the tag that it is for")
            problem = f"{quote(name)} is neither the id of an entry nor a tag"
            yield Finding(("aliases", alias), problem, fix)


def references(draft: Draft) -> Iterator[Finding]:
    """Refuse references to papers that are not on the list."""
    papers = _papers(draft)
    elsewhere = {item.name: item.section for item in draft.items}
    for item in draft.items if draft.knows_every_paper else ():
        for path, paper in item.texts("papers"):
            if paper in papers:
                continue
            if section := elsewhere.get(paper):
                problem = f"{quote(paper)} is in {section}, not in publications"
                fix = "name the paper that it is about"
            else:
                problem = f"{quote(paper)} is the id of no publication"
                fix = did_you_mean(paper, papers, "add the publication, or remove this")
            yield Finding(path, problem, fix)


def _papers(draft: Draft) -> set[str]:
    # An id that is not well formed has one fault, not one more where it is used.
    ids = [item.name for item in draft.items if item.section == "publications"]
    return {*ids, *map(nearest_id, ids)}


def notes(draft: Draft) -> Iterator[Finding]:
    """Refuse notes that are long, or hold more than text, https links and code."""
    for item in draft.items:
        note = item.text("note") or ""
        for problem, fix in note_faults(note):
            yield Finding(item.path("note"), problem, fix)


def implementations(draft: Draft) -> Iterator[Finding]:
    """Refuse publications that neither have nor want an implementation, or do both."""
    for item in draft.items:
        if item.section != "publications" or not is_id(item.name):
            continue
        file = f"implementations/{item.name}.py"
        wanted = item.fields.get("implementation")
        if item.name not in draft.implemented and wanted is None:
            fix = 'write it, or add the line "implementation: wanted"'
            yield Finding(item.path(), f"has no {file}", fix)
        if item.name in draft.implemented and wanted == "wanted":
            problem = f'is "wanted", but there is {file}'
            yield Finding(item.path("implementation"), problem, "remove the line")


def orphans(draft: Draft) -> Iterator[Finding]:
    """Refuse implementations without a publication."""
    known = draft.implemented if not draft.knows_every_paper else _papers(draft)
    for name in sorted(draft.implemented - known):
        problem = f"none has the id {quote(name)} of implementations/{name}.py"
        yield Finding(("publications",), problem, "add its entry, or rename the file")


RULES: tuple[Callable[[Draft], Iterator[Finding]], ...] = (
    emptiness,
    ids,
    limits.reserved_ids,
    unique_ids,
    dates,
    order,
    authors,
    repetitions,
    urls,
    duplicate_urls,
    duplicate_links,
    titles,
    limits.tag_names,
    tags,
    groups,
    aliases,
    references,
    limits.lengths,
    notes,
    implementations,
    orphans,
)
