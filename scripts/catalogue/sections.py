"""The sections of the list, and how each is spelled wherever it is named."""

from __future__ import annotations

from typing import NamedTuple


class Section(NamedTuple):
    """One section of the list.

    `key` names it in resources.yaml, in flags and in the exports, `kind` each of its
    entries in addresses, `one` such an entry in forms and on pages, `heading` all of
    them, and `emoji` marks it in README.md. `about` is the heading of those that
    explain a paper, on the paper's page.
    """

    key: str
    kind: str
    one: str
    heading: str
    emoji: str
    about: str = ""

    @property
    def anchor(self) -> str:
        """Its place on a page that has all sections."""
        return self.heading.lower().replace(" ", "-")


PUBLICATIONS = Section("publications", "publication", "Paper", "Publications", "📝")
VIDEOS = Section("videos", "video", "Video", "Videos", "📺", "Watch")
BLOGS = Section("blogs", "blog", "Blog post", "Posts and courses", "🌐", "Read on")
CODE = Section("code", "code", "Code", "Code", "🧑‍💻", "Other code")
SECTIONS = (PUBLICATIONS, VIDEOS, BLOGS, CODE)
KEYS = tuple(section.key for section in SECTIONS)

# Publications whose implementation is wanted, wherever the list is shown: in the file
# they stand among the others.
FURTHER = Section("further_reading", "further", "Paper", "Further reading", "📚")
SHELVES = (PUBLICATIONS, FURTHER, VIDEOS, BLOGS, CODE)
"""The sections as readers see them."""
