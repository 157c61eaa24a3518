"""An entry as text, in the form that the file has; and its place in the file."""

from __future__ import annotations

import bisect
import json
import re
import textwrap
from collections.abc import Mapping, Sequence

from scripts.catalogue.document import Document

Value = str | Sequence[str | Mapping[str, str]]
Fields = Mapping[str, Value]

ORDER = (
    *("id", "title", "authors", "affiliation", "date", "url", "venue"),
    *("kind", "languages", "frameworks", "papers", "tags", "added"),
    *("implementation", "note"),
)
_WIDTH = 100


class AddError(Exception):
    """The entry cannot be added; the message says why, and what to do."""


def write(fields: Fields) -> list[str]:
    """Write an entry as lines of YAML, not indented; empty fields are left out."""
    lines = [
        line
        for name in ORDER
        if (value := fields.get(name))
        for line in _field(name, value)
    ]
    return [f"{'  ' if number else '- '}{line}" for number, line in enumerate(lines)]


def _field(name: str, value: Value) -> list[str]:
    if name == "note":
        return ["note: >-", *_wrapped(str(value))]
    if isinstance(value, str):
        return [f"{name}: {scalar(value)}"]
    items = [_item(item) for item in value]
    line = f"{name}: [{', '.join(items)}]"
    if len(line) <= 1.2 * _WIDTH:
        return [line]
    return [f"{name}:", *(f"  - {item}" for item in items)]


def _item(item: str | Mapping[str, str]) -> str:
    if isinstance(item, str):
        return scalar(item)
    return f"{{{', '.join(f'{key}: {scalar(text)}' for key, text in item.items())}}}"


def _wrapped(note: str) -> list[str]:
    # Words are never cut: a link is one of them.
    lines = textwrap.wrap(
        note, _WIDTH - 4, break_long_words=False, break_on_hyphens=False
    )
    return [f"  {line}" for line in lines]


_plain = re.compile(
    r"[^\W\d_][\w '’.()/+–-]*|\d{4}-\d\d(?:-\d\d)?|https://[\w./?&=%~+@;()#:-]*[\w/)]"
).fullmatch
# What YAML 1.1 or 1.2 takes for something other than text.
_word = re.compile(r"true|false|yes|no|on|off|null|y|n", re.IGNORECASE).fullmatch


def scalar(text: str) -> str:
    """Write a text so that it reads as itself, in quotes where there is any doubt."""
    if _plain(text) and not _word(text):
        return text
    return json.dumps(text, ensure_ascii=False)


def insert(
    content: str, document: Document, section: str, entry: Fields
) -> tuple[str, int]:
    """Put an entry into its section of a faultless file, the oldest first.

    Every other line stays as it is. Returns the new content and the entry's place in
    its section. Raises AddError where the section is not written one entry under
    another.
    """
    lines = content.split("\n")
    end = "\r" if "\r\n" in content else ""
    written = write(entry)
    dates = [other["date"] for other in document.data[section]]
    number = bisect.bisect_right(dates, entry["date"])
    if not dates:
        at = document.key_position((section,)).line
        opened = _opened(lines[at - 1], section)
        lines[at - 1 : at] = [opened, *_indented(written, "  ", end)]
        return "\n".join(lines), number
    starts = [_start(lines, document, section, k) for k in range(len(dates))]
    written = _indented(written, _indent(lines[starts[0]]), end)
    if number < len(starts):
        at = _above_comments(lines, starts[number])
        lines[at:at] = [*written, end]
    else:
        at = _end(lines, starts[-1])
        last = [""] if at == len(lines) else []
        lines[at:at] = [end, *written, *last]
    return "\n".join(lines), number


def _opened(line: str, section: str) -> str:
    """Turn "blogs: []" into "blogs:"."""
    opened = re.sub(r":(\s*)\[\s*\]", r":", line, count=1)
    if opened == line:
        raise AddError(
            f'{section} is empty, but not written so (write "{section}: []")'
        )
    return opened


def _indented(lines: Sequence[str], indent: str, end: str) -> list[str]:
    return [indent + line + end for line in lines]


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" "))]


def _start(lines: list[str], document: Document, section: str, number: int) -> int:
    """Return the index of the line with the entry's dash."""
    position = document.position((section, number))
    at = position.line - 1
    before = lines[at][: position.column - 1]
    while not before.strip() and at:
        at -= 1
        before = lines[at]
    if before.strip() != "-":
        raise AddError(
            f"{section} #{number + 1} does not begin on a line of its own "
            '(write its fields one per line, the first as "- id: …")'
        )
    return at


def _above_comments(lines: list[str], start: int) -> int:
    """Return where the comments that stand directly above an entry begin."""
    indent = _indent(lines[start])
    while lines[start - 1].startswith(f"{indent}#"):
        start -= 1
    return start


def _end(lines: list[str], start: int) -> int:
    """Return the index behind the last line of the entry that begins at `start`.

    What stands at the margin belongs to what follows.
    """
    end = start + 1
    for at in range(start + 1, len(lines)):
        line = lines[at]
        if line.strip() and not line.startswith(" "):
            break
        if line.strip():
            end = at + 1
    return end
