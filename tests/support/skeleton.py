"""A page's elements, without the texts that stand in it."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

# Attributes that hold addresses, and those that hold texts for people.
ADDRESSES = ("href", "src", "action", "data", "srcset")
TEXTS = {
    *("alt", "title", "aria-label", "value", "content"),
    *("data-language", "data-framework", "data-also", "data-clipboard-text"),
}


_OF_TEXTS = ([], [("dir", "auto")])


class Skeleton(HTMLParser):
    """The page's elements and their attributes, its addresses, its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[tuple[str, ...]] = []
        self.addresses: list[str] = []
        self.text = ""
        self._spans: list[bool] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ADDRESSES]
        # A bare span stands around a character that GitHub would take for syntax; <bdi>
        # and the other span keep a text's direction to itself.
        counts = not (tag == "bdi" or (tag == "span" and attrs in _OF_TEXTS))
        if tag == "span":
            self._spans.append(counts)
        if counts:
            self.parts.append((tag, *self._attributes(attrs)))

    @staticmethod
    def _attributes(attrs: list[tuple[str, str | None]]) -> Iterator[str]:
        for name, value in attrs:
            free = name in TEXTS or name in ADDRESSES
            yield name if free else f"{name}={value}"

    def handle_endtag(self, tag: str) -> None:
        if tag == "bdi" or (tag == "span" and self._spans and not self._spans.pop()):
            return
        self.parts.append((f"/{tag}",))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.parts.append(("comment", data))

    def handle_decl(self, decl: str) -> None:
        self.parts.append(("declaration", decl))

    def handle_pi(self, data: str) -> None:
        self.parts.append(("instruction", data))

    def unknown_decl(self, data: str) -> None:
        self.parts.append(("section", data))
