"""The flows in order of time: what each introduces, builds on, and is reused by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scripts.catalogue import Publication
from scripts.papers.genealogy import Genealogy, PaperImport, reused_by


class Row(NamedTuple):
    """A paper by its short name, its family, and its kin.

    `introduced` are its classes that later papers reuse; `builds_on` and `reused_by`
    say which classes lead from paper to paper.
    """

    paper: Publication
    name: str
    family: str
    introduced: Sequence[str]
    builds_on: Sequence[PaperImport]
    reused_by: Sequence[PaperImport]

    @property
    def id(self) -> str:
        """The paper's id."""
        return self.paper.id


def rows(
    papers: Sequence[Publication],
    genealogy: Genealogy,
    names: Mapping[str, str],
    families: Mapping[str, str],
) -> list[Row]:
    """Return a row for each implemented paper, oldest first.

    `names` and `families` are those of the papers, by id.
    """
    found = []
    for paper in papers:
        if paper.id in genealogy:
            later = _later(paper.id, genealogy)
            classes = {name for each in later for name in each.classes}
            builds_on = genealogy[paper.id].builds_on
            family = families[paper.id]
            name = names[paper.id]
            found.append(Row(paper, name, family, sorted(classes), builds_on, later))
    return found


def _later(paper: str, genealogy: Genealogy) -> list[PaperImport]:
    """Return the papers that build on this one, each with what it takes from it."""
    return [
        PaperImport(other, earlier.names)
        for other in reused_by(paper, genealogy)
        for earlier in genealogy[other].builds_on
        if earlier.paper == paper
    ]
