"""Editions of the website with a list of the tests' own and the project's results."""

from __future__ import annotations

from functools import cache
from typing import Any

from scripts.base.project import ROOT, read_project
from scripts.catalogue import Catalogue
from scripts.site.edition import Edition
from scripts.site.measured.exactness import Examination, examine
from scripts.site.measured.speed import Comparison, compare


@cache
def _measured() -> tuple[Comparison, Examination]:
    results = ROOT / "benchmarks" / "results"
    return compare(results), examine(results)


def edition_of(catalogue: Catalogue, **others: Any) -> Edition:
    """Return an edition of the list; of others of its fields, what is given."""
    return Edition(catalogue, read_project(), *_measured(), **others)
