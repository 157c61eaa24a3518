"""A page as the tests see it: its tags, its ids, its words."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import NamedTuple


class Tag(NamedTuple):
    """A start tag and its attributes."""

    name: str
    attributes: dict[str, str]


class Parsed(HTMLParser):
    """A page, read once."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[Tag] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(Tag(tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def ids(self) -> list[str]:
        return [tag.attributes["id"] for tag in self.tags if "id" in tag.attributes]

    @property
    def links(self) -> list[str]:
        """Every address that the page names, to follow or to load."""
        names = ("href", "src")
        return [
            tag.attributes[name]
            for tag in self.tags
            for name in names
            if name in tag.attributes
        ]
