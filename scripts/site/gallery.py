"""The papers that run, as the gallery and the home page show them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from scripts.catalogue import Catalogue, Publication
from scripts.papers.registrations import FAMILIES
from scripts.site.edition import Edition
from scripts.site.notebook_page import NotebookPage

# Groups of tags that say what a flow is for; the gallery is narrowed by them.
_PURPOSES = ("Task", "Data")
# Letters from which on a sentence says something by itself.
_SENTENCE = 40


class RunningPaper(NamedTuple):
    """A paper and its notebook; `slug` stands for its family, `tags` are purposes."""

    paper: Publication
    notebook: NotebookPage
    family: str
    slug: str
    tags: Sequence[str]

    @property
    def seen(self) -> str:
        """The first sentence on its picture, or two where that one is short."""
        picture = self.notebook.picture
        sentences = re.split(r"(?<=[.!?])\s", picture.alt) if picture else [""]
        first = sentences[0]
        return first if len(first) >= _SENTENCE else " ".join(sentences[:2])


class Choice(NamedTuple):
    """A value that narrows the gallery, and the number of papers that have it."""

    value: str
    label: str
    number: int


def works(edition: Edition) -> list[RunningPaper]:
    """Return the papers that run, family by family, each in order of date."""
    groups = edition.catalogue.groups
    purposes = {tag for group in _PURPOSES for tag in groups.get(group, ())}
    found = []
    for paper in edition.implemented:
        if not (notebook := edition.notebooks.get(paper.id)):
            continue
        family = edition.registered[paper.id].family
        tags = [tag for tag in paper.tags if tag in purposes]
        found.append(RunningPaper(paper, notebook, family, FAMILIES[family], tags))
    order = list(FAMILIES)
    return sorted(found, key=lambda work: order.index(work.family))


def first_of_families(works: Iterable[RunningPaper], most: int) -> list[RunningPaper]:
    """Return the earliest paper of each family, `most` of them at most."""
    first: dict[str, RunningPaper] = {}
    for work in works:
        first.setdefault(work.slug, work)
    return list(first.values())[:most]


def families(works: Iterable[RunningPaper]) -> list[Choice]:
    """Return the families of the papers, in the gallery's order."""
    count = Counter((work.slug, work.family) for work in works)
    return [Choice(*family, number) for family, number in count.items()]


def purposes(
    works: Iterable[RunningPaper], catalogue: Catalogue
) -> dict[str, list[Choice]]:
    """Group → what its papers are for, the most frequent first."""
    count = Counter(tag for work in works for tag in work.tags)
    found = {
        group: [
            Choice(tag, tag.replace("-", " ").capitalize(), number)
            for tag, number in count.most_common()
            if tag in catalogue.groups.get(group, ())
        ]
        for group in _PURPOSES
    }
    return {group: choices for group, choices in found.items() if choices}
