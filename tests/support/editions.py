"""Editions of the website with a list of the tests' own and the project's results."""

from __future__ import annotations

from functools import cache
from typing import Any

from scripts.base.project import ROOT, read_project
from scripts.catalogue import Catalogue
from scripts.papers import registrations
from scripts.papers.registrations import Registered
from scripts.site.edition import Edition
from scripts.site.measured.exactness import Examination, examine
from scripts.site.measured.speed import Comparison, compare


@cache
def _measured() -> tuple[Comparison, Examination]:
    results = ROOT / "benchmarks" / "results"
    return compare(results), examine(results)


@cache
def _registered(paper: str) -> Registered:
    return registrations.read(ROOT, paper)


def edition_of(catalogue: Catalogue, **others: Any) -> Edition:
    """Return an edition of the list; of others of its fields, what is given."""
    papers = [paper.id for paper in catalogue.publications if paper.implemented]
    registered = {paper: _registered(paper) for paper in papers}
    measured = _measured()
    return Edition(
        catalogue, read_project(), *measured, registered=registered, **others
    )
