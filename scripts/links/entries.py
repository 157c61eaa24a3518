"""The addresses of an entry, each by its name."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.base.text import spans
from scripts.catalogue import Entry

_NOUNS = {"publication": "Paper", "video": "Video", "blog": "Post", "code": "Code"}


def addresses(entry: Entry) -> Iterator[tuple[str, str]]:
    """Every address of an entry, after what the entry calls it."""
    yield _NOUNS[entry.section.kind], entry.url
    yield from entry.links.items()
    for span in spans(entry.note):
        if span.url:
            yield span.text, span.url
