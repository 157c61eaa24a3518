"""Everything that the website shows, read once."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from scripts.base.project import Project, read_project
from scripts.catalogue import Catalogue, Publication, load
from scripts.links import history, software
from scripts.links.software import Upkeep
from scripts.papers import checks, registrations
from scripts.papers.genealogy import Genealogy, genealogy
from scripts.papers.registrations import Registered
from scripts.site import notebook_page, reference
from scripts.site.measured.exactness import Examination, examine
from scripts.site.measured.scale import AtSize, at_size
from scripts.site.measured.speed import Comparison, compare
from scripts.site.measured.straight import Lines, straight_lines
from scripts.site.measured.univariate import Maps, univariate_maps
from scripts.site.notebook_page import NotebookPage
from scripts.site.reference import Reference


@dataclass(frozen=True)
class Edition:
    """The data that all pages are made of.

    `registered` has each implemented paper's registration by its id, `notebooks` the
    page of its notebook; `dead` has the addresses that are gone, and since when,
    `software` how repositories are kept, `reference` what can be imported; `at_size`
    the papers' tables, reported and obtained, `straight` how continuous flows move,
    `univariate` how near the maps come that one conditioner steers.
    """

    catalogue: Catalogue
    project: Project
    comparison: Comparison
    examination: Examination
    genealogy: Genealogy = field(default_factory=dict)
    registered: Mapping[str, Registered] = field(default_factory=dict)
    notebooks: Mapping[str, NotebookPage] = field(default_factory=dict)
    dead: Mapping[str, datetime.date] = field(default_factory=dict)
    software: Mapping[str, Upkeep] = field(default_factory=dict)
    reference: Reference = field(default_factory=Reference)
    at_size: AtSize = field(default_factory=AtSize)
    straight: Lines | None = None
    univariate: Maps | None = None

    @property
    def implemented(self) -> list[Publication]:
        """Papers that have a notebook, in order of date."""
        return [paper for paper in self.catalogue.publications if paper.implemented]


def read(root: Path) -> Edition:
    """Read the project in a folder.

    Raises CatalogueError, CellError, ResultsError or NotebookError, each with what
    is wrong and where.
    """
    catalogue = load(root / "resources.yaml", root / "implementations")
    project = read_project(root / "mkdocs.yml")
    results = root / "benchmarks" / "results"
    comparison = compare(results)
    implemented = [paper for paper in catalogue.publications if paper.implemented]
    return Edition(
        catalogue,
        project,
        comparison,
        examine(results),
        genealogy(root),
        {paper.id: registrations.read(root, paper.id) for paper in implemented},
        _notebooks(root, project, comparison, implemented),
        history.dead_in(root),
        software.read(root / software.FILE),
        reference.read(root, [paper.id for paper in implemented]),
        at_size(root / "implementations" / "results" / "scale"),
        straight_lines(results),
        univariate_maps(results),
    )


def _notebooks(
    root: Path, project: Project, comparison: Comparison, papers: Sequence[Publication]
) -> dict[str, NotebookPage]:
    def one(paper: Publication) -> NotebookPage:
        on_gpu = comparison.gpu.of(paper.id) if comparison.gpu else ""
        found = checks.read(root, paper.id)
        return notebook_page.read(root / "docs", paper, project, on_gpu, found)

    # Cutting figures takes most of it, and leaves Python to other threads.
    with ThreadPoolExecutor() as pool:
        return dict(zip([p.id for p in papers], pool.map(one, papers), strict=True))
