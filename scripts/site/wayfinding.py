"""Where the two pages of a paper are, and by which name they go."""

from __future__ import annotations

from typing import NamedTuple

from scripts.base import text
from scripts.site.edition import Edition


class PaperPages(NamedTuple):
    """A paper as its page and its notebook's page name it, and where it is listed.

    `name` and `shelf`, the name of its part of the list, are HTML; `source` is the
    address of its code, "" where there is none.
    """

    id: str
    name: str
    kind: str
    shelf: str
    source: str


def paper_pages(edition: Edition) -> dict[str, PaperPages]:
    """Return what the pages of each publication have in common, by its id."""
    notebooks, project = edition.notebooks, edition.project
    found = {}
    for paper in edition.catalogue.publications:
        runs = paper.id in notebooks
        name = notebooks[paper.id].short if runs else paper.title
        source = project.blob(f"implementations/{paper.id}.py") if runs else ""
        shelf = paper.shelf
        found[paper.id] = PaperPages(
            paper.id, text.html(name), shelf.kind, shelf.heading, source
        )
    return found
