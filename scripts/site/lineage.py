"""The flows in order of time, and the arcs from each to those that it builds on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scripts.catalogue import Publication
from scripts.papers.genealogy import Genealogy, PaperImport

# Pixels from one row to the next; the stylesheet's rows are as high.
ROW = 64


class Arc(NamedTuple):
    """A curve from a row's dot up to that of a paper which it builds on."""

    to: str
    path: str


class Row(NamedTuple):
    """A paper, what it brought that others reuse, and its arcs."""

    paper: Publication
    introduced: Sequence[str]
    builds_on: Sequence[PaperImport]
    arcs: Sequence[Arc]


def rows(papers: Sequence[Publication], genealogy: Genealogy) -> list[Row]:
    """Return a row for each implemented paper, oldest first."""
    papers = [paper for paper in papers if paper.id in genealogy]
    place = {paper.id: k for k, paper in enumerate(papers)}
    reused = _reused(genealogy)
    return [
        Row(
            paper,
            sorted(reused[paper.id]),
            genealogy[paper.id].builds_on,
            _arcs(genealogy[paper.id].builds_on, place, place[paper.id]),
        )
        for paper in papers
    ]


def _reused(genealogy: Genealogy) -> Mapping[str, set[str]]:
    """Id of a paper → its classes that other papers import."""
    reused: dict[str, set[str]] = defaultdict(set)
    for kin in genealogy.values():
        for earlier in kin.builds_on:
            reused[earlier.paper] |= set(earlier.classes)
    return reused


def _arcs(
    builds_on: Sequence[PaperImport], place: Mapping[str, int], row: int
) -> list[Arc]:
    steps = {each.paper: row - place[each.paper] for each in builds_on}
    return [
        Arc(paper, f"M0 0C{-8 - 7 * n} 0 {-8 - 7 * n} {-n * ROW} 0 {-n * ROW}")
        for paper, n in sorted(steps.items(), key=lambda item: item[1])
    ]
