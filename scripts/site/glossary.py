"""The words of docs/glossary.md, and the links that lead to them from other pages.

A page's first use of each word becomes a link; docs/assets/glossary.js shows what it
leads to on hover and on focus. Words are left alone in headings, code, mathematics,
links and tables, and in what entries of the list say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import NamedTuple

_HEADING = re.compile(
    r'^## .*\{ #(?P<id>[\w-]+) data-forms="(?P<forms>[^"]+)" \}$', re.M
)
_PROSE = {"p", "li", "dd"}
_NOT_PROSE = {
    *("a", "article", "button", "code", "figure", "h1", "h2", "h3", "h4", "h5", "h6"),
    *("label", "pre", "script", "style", "summary", "svg", "table"),
}
_NOT_PROSE_CLASSES = {"arithmatex", "byline", "links", "stamp", "tags"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta"} | {
    *("source", "track", "wbr"),
}


def read(glossary: str) -> dict[str, str]:
    """Read each form of each word, in small letters → the id of its explanation."""
    return {
        form.strip().lower(): match["id"]
        for match in _HEADING.finditer(glossary)
        for form in match["forms"].split(",")
    }


def mark(html: str, words: Mapping[str, str], glossary: str) -> str:
    """Link the first use of each word to its place in the glossary at this address."""
    marker = _Marker(words, glossary)
    marker.feed(html)
    marker.close()
    return "".join(marker.written)


class _Element(NamedTuple):
    """An element that is open, and whether prose begins or ends with it."""

    tag: str
    opens: bool
    bars: bool


class _Marker(HTMLParser):
    """Copies HTML to `written` as it stands, but for the links that it adds."""

    def __init__(self, words: Mapping[str, str], glossary: str) -> None:
        super().__init__(convert_charrefs=False)
        self.words, self.glossary = words, glossary
        longest_first = sorted(words, key=len, reverse=True)
        self.uses = re.compile(
            rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])", re.I
        )
        self.written: list[str] = []
        self.seen: set[str] = set()
        self.open: list[_Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._copy_tag()
        if tag not in _VOID:
            classes = {*(dict(attrs).get("class") or "").split()}
            bars = tag in _NOT_PROSE or bool(classes & _NOT_PROSE_CLASSES)
            self.open.append(_Element(tag, tag in _PROSE, bars))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._copy_tag()

    def handle_endtag(self, tag: str) -> None:
        self.written.append(f"</{tag}>")
        while self.open and self.open.pop().tag != tag:
            pass

    def handle_data(self, data: str) -> None:
        in_prose = any(element.opens for element in self.open)
        if in_prose and not any(element.bars for element in self.open):
            data = self.uses.sub(self._link, data)
        self.written.append(data)

    def handle_entityref(self, name: str) -> None:
        self.written.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.written.append(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self.written.append(f"<!--{data}-->")

    def _copy_tag(self) -> None:
        self.written.append(self.get_starttag_text() or "")

    def _link(self, use: re.Match[str]) -> str:
        id = self.words[use[0].lower()]
        if id in self.seen:
            return use[0]
        self.seen.add(id)
        return f'<a class="word" href="{self.glossary}#{id}">{use[0]}</a>'
