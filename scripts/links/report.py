"""The report: Markdown for an issue, in which no address means more than itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from scripts.base.dates import long_date
from scripts.base.project import Project
from scripts.base.text import escape_markdown, markdown_url
from scripts.links.history import History, Record
from scripts.links.places import Broken, LinkPlace, Places

# GitHub takes 65,536 characters.
LIMIT = 60_000


class Group(NamedTuple):
    """Records of one kind, and what there is to say of them."""

    heading: str
    meaning: str
    records: Sequence[Record]


def render(
    history: History, places: Places, project: Project, lines: Mapping[str, int]
) -> str:
    """Write what is dead, suspected, moved and unknown, and where it stands."""
    total = len(places.of)
    parts = [f"{total} addresses, {total - len(history)} of them as they should be.\n"]
    for group in _groups(history):
        rows = [
            _row(each, places.of.get(each.url, []), project, lines)
            for each in group.records
        ]
        parts.append(_section(group.heading, group.meaning, rows))
    parts.append(
        _section(
            "Broken within the project",
            "These pages or files do not exist.",
            [_broken(each) for each in places.broken],
        )
    )
    return _within_limit("\n".join(filter(None, parts)))


def _groups(history: History) -> Iterator[Group]:
    def of(state: str, gone: bool | None = None) -> list[Record]:
        return [
            each
            for each in history.values()
            if each.state == state and (gone is None or bool(each.gone) == gone)
        ]

    yield Group(
        "Dead",
        "Gone in two runs at least a day apart. The website marks them, with a copy in "
        "the archive; please find a new address, or decide what to do.",
        of("dead"),
    )
    yield Group(
        "Suspected",
        "Gone once so far. A later run decides; nothing to do yet.",
        of("unknown", gone=True),
    )
    yield Group(
        "Moved",
        "Redirected for good. Please look at the new address, and write it down.",
        of("alive"),
    )
    yield Group(
        "Unknown",
        "They refused to answer a program, or were in trouble. That is no fault of "
        "theirs; nothing to do, unless it lasts.",
        of("unknown", gone=False),
    )


def _section(heading: str, meaning: str, rows: Sequence[str]) -> str:
    if not rows:
        return ""
    return f"## {heading} ({len(rows)})\n\n{meaning}\n\n" + "".join(rows)


def _row(
    record: Record,
    places: Iterable[LinkPlace],
    project: Project,
    lines: Mapping[str, int],
) -> str:
    since = long_date((record.gone or record.since).date())
    said = [f"{_link(record.url)}: {escape_markdown(record.why)} since {since}"]
    if record.moved:
        said.append(f"to {_link(record.moved)}")
    said.extend(_where(place, project, lines) for place in places)
    if record.state == "dead":
        copies = f"https://web.archive.org/web/*/{markdown_url(record.url)}"
        said.append(f"[archived copies]({copies})")
    return f"- {', '.join(said)}\n"


def _where(place: LinkPlace, project: Project, lines: Mapping[str, int]) -> str:
    if not place.entry:
        return f"on the page {_code(place.page)}"
    line = lines.get(place.entry)
    address = project.blob("resources.yaml") + (f"#L{line}" if line else "")
    at = f"resources.yaml:{line}" if line else "resources.yaml"
    return f"in `{place.entry}` ([{at}]({address}))"


def _broken(broken: Broken) -> str:
    return f"- {_code(broken.target)}, on the page {_code(broken.page)}\n"


def _link(address: str) -> str:
    return f"[{_code(address)}]({markdown_url(address)})"


def _code(text: str) -> str:
    """Show a text as code: no markup in it, and nobody is called by it."""
    safe = re.sub(r"[^!-~ ]|[`\[\]|<>\\]", lambda m: _percent(m[0]), text)
    return f"`{safe.strip() or ' '}`"


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))


def _within_limit(text: str) -> str:
    if len(text) <= LIMIT:
        return text
    kept = text[:LIMIT].rpartition("\n")[0]
    left = text[len(kept) :].count("\n- ")
    return f"{kept}\n\nAnd {left} more, which `make links` lists.\n"
