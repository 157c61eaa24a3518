"""Which notes the list takes: short, plain text but for https links and code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scripts.base.text import CODE, Span, spans
from scripts.catalogue import addresses
from scripts.catalogue.faults import quote

LONGEST_NOTE = 600
_LINKS = "write links as [label](https://…)"


def note_faults(note: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a note, and what to do."""
    if len(note) > LONGEST_NOTE:
        yield f"has {len(note)} characters", f"cut it to {LONGEST_NOTE}"
    words = re.sub(CODE, "", note)
    if tag := re.search(r"<[a-zA-Z/!?][^>]{0,20}>?", words):
        yield f"holds raw HTML, {quote(tag[0])}", "use plain text, and ` around code"
    if "![" in words:
        yield "holds an image", "remove it, or link to it"
        return
    for span in spans(note):
        if span.kind == "text":
            yield from _text_faults(span.text)
        elif span.kind == "link":
            yield from _link_faults(span)


def _text_faults(text: str) -> Iterator[tuple[str, str]]:
    if link := re.search(r"\]\(([^)]*)", text):
        yield f"holds a link to {quote(link[1])}", _LINKS
    elif "http://" in text:
        yield "holds an address that is not https", _LINKS


def _link_faults(link: Span) -> Iterator[tuple[str, str]]:
    address = link.url or ""
    if fault := addresses.fault(address):
        yield f"holds a link to {quote(address)}, which {fault[0]}", fault[1]
    if "`" in link.text:
        yield f"holds code in the label {quote(link.text)}", "remove the backticks"
