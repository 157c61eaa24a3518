"""Catalogue → the generated pages of the website, as Markdown."""

from __future__ import annotations

import datetime
import heapq
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2
from markupsafe import escape

from scripts.base import text
from scripts.base.dates import long_date
from scripts.base.project import Project
from scripts.catalogue import Author, Catalogue, Entry, Publication
from scripts.exports.bibtex import bibtex_entry
from scripts.links.archive import NOTHING_DEAD, lost
from scripts.papers.genealogy import Genealogy, Kin, reused_by
from scripts.site.facets import KINDS, facets, facets_of
from scripts.site.lineage import rows
from scripts.site.measured.exactness import Examination
from scripts.site.measured.speed import Comparison
from scripts.site.notebook_page import NotebookPage

# Stands for docs/assets/figures/journey.* wherever they are shown.
JOURNEY_ALT = (
    "Two thousand points, a round Gaussian cloud at first, are bent by one layer of a "
    "trained flow after the other, until they lie on the five arms of a pinwheel."
)

# How many entries the home page calls new.
NEWEST = 5


class Section(NamedTuple):
    """One heading and the entries under it."""

    name: str
    anchor: str
    entries: Sequence[Entry]


class Family(NamedTuple):
    """Papers of one kind that have a notebook."""

    name: str
    papers: Sequence[Publication]


# Which tag tells a paper's family: the first of these that it has.
FAMILIES = {
    "review": "Surveys",
    "graphs": "Graphs",
    "bayesian-networks": "Bayesian networks",
    "variational-inference": "Variational inference",
    "spline": "Splines",
    "autoregressive": "Autoregressive flows",
    "coupling": "Coupling flows",
}


def pages(
    catalogue: Catalogue,
    project: Project,
    genealogy: Genealogy,
    notebooks: Mapping[str, NotebookPage],
    lines: Mapping[str, int],
    comparison: Comparison,
    dead: Mapping[str, datetime.date] = NOTHING_DEAD,
) -> dict[str, str]:
    """Return the pages made from data: path under docs/ → Markdown.

    The list, the genealogy, the gallery of notebooks, and a page per publication.
    `lines` tells where an entry begins in resources.yaml, `dead` which addresses are
    gone, and since when.
    """
    environment = _environment(catalogue, project, dead)
    paper_page = environment.get_template("paper.md.jinja")
    list_page = environment.get_template("list.md.jinja")
    related = _related(catalogue)
    papers = {
        f"papers/{paper.id}.md": paper_page.render(
            root="../../",
            paper=paper,
            structured=_quoted(_structured(paper, project.page(f"papers/{paper.id}/"))),
            related=_by_kind(related[paper.id]),
            kin=genealogy.get(paper.id, Kin()),
            reused_by=reused_by(paper.id, genealogy),
            notebook=notebooks.get(paper.id),
            line=lines.get(paper.id),
            compared=comparison.of(paper.id),
            bibtex=bibtex_entry(paper).strip(),
        )
        for paper in catalogue.publications
    }
    sections = _sections(catalogue)
    whole = list_page.render(root="../", sections=sections, facets=facets(catalogue))
    gallery = environment.get_template("gallery.md.jinja").render(
        root="../", families=_families(catalogue), notebooks=notebooks
    )
    # NICE: non-linear … → NICE
    short = {id: page.title.partition(":")[0] for id, page in notebooks.items()}
    tree = environment.get_template("genealogy.md.jinja").render(
        root="../", rows=rows(catalogue.publications, genealogy), short=short
    )
    return {
        "list.md": whole,
        "genealogy.md": tree,
        "notebooks/index.md": gallery,
        **papers,
    }


_FIRST_LINE = re.compile(r"\s*-\s+id:\s*([a-z][a-z0-9_]*)\s*(?:#.*)?$")


def first_lines(resources: str) -> dict[str, int]:
    """Id of an entry → the line at which it begins, where that is its id's."""
    found = map(_FIRST_LINE.match, resources.splitlines())
    return {match[1]: line for line, match in enumerate(found, 1) if match}


def fill_in(
    markdown: str,
    catalogue: Catalogue,
    project: Project,
    comparison: Comparison,
    examination: Examination,
    root: str,
    dead: Mapping[str, datetime.date] = NOTHING_DEAD,
) -> str:
    """Fill in what a page written by hand says of the catalogue and of measurements.

    `root` leads from the page to the site's root.
    """
    entries = list(catalogue.entries)
    return (
        _environment(catalogue, project, dead)
        .from_string(markdown)
        .render(
            root=root,
            comparison=comparison,
            examination=examination,
            journey_alt=JOURNEY_ALT,
            total=len(entries),
            kinds=facets(catalogue)[0].values,
            implemented=[p for p in catalogue.publications if p.implemented],
            newest=heapq.nlargest(NEWEST, entries, key=lambda e: (e.added, e.date)),
        )
    )


def along_the_path(learn: str, ids: Sequence[str]) -> list[str]:
    """Order papers as the page for learners comes to them; others follow."""
    found = re.findall(r"notebooks/([a-z][a-z0-9_]*)/", learn)
    path = [id for id in dict.fromkeys(found) if id in ids]
    return [*path, *(id for id in ids if id not in path)]


def _sections(catalogue: Catalogue) -> list[Section]:
    entries = (
        catalogue.publications,
        catalogue.videos,
        catalogue.blogs,
        catalogue.code,
    )
    return [
        Section(name, _anchor(name), each)
        for name, each in zip(KINDS.values(), entries, strict=True)
    ]


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


def _families(catalogue: Catalogue) -> list[Family]:
    """Families in reverse order: what builds on nothing comes first."""
    members: dict[str, list[Publication]] = defaultdict(list)
    for paper in catalogue.publications:
        if paper.implemented:
            tag = next((tag for tag in FAMILIES if tag in paper.tags), "")
            members[tag].append(paper)
    names = {**FAMILIES, "": "Others"}
    return [
        Family(names[tag], members[tag])
        for tag in (*reversed(FAMILIES), "")
        if tag in members
    ]


def _related(catalogue: Catalogue) -> dict[str, list[Entry]]:
    """Id of a publication → the videos, blogs and code on it."""
    related: dict[str, list[Entry]] = defaultdict(list)
    for entry in (*catalogue.videos, *catalogue.blogs, *catalogue.code):
        for paper in entry.papers:
            related[paper].append(entry)
    return related


def _by_kind(entries: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    headings = {"video": "Watch", "blog": "Read on", "code": "Other code"}
    return [
        (heading, [entry for entry in entries if entry.kind == kind])
        for kind, heading in headings.items()
    ]


def _environment(
    catalogue: Catalogue, project: Project, dead: Mapping[str, datetime.date]
) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        # In Markdown the filters escape.
        autoescape=lambda name: bool(name and name.endswith(".html.jinja")),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        date=long_date,
        digits=text.significant,
        facets=lambda entry: facets_of(entry).items(),
        front=_front_matter,
        lost=lambda entry: lost(entry, dead),
        md=text.escape_markdown,
        note=text.markdown_note,
        note_html=text.html_note,
        html=text.html,
        people=text.html_people,
        plain=text.plain,
        target=text.markdown_url,
    )
    entries = {entry.id: entry for entry in catalogue.entries}
    environment.globals.update(catalogue=catalogue, project=project, entries=entries)
    return environment


def _structured(paper: Publication, page: str) -> str:
    """Describe the paper as schema.org does, as JSON that ends no script."""
    described = {
        "@context": "https://schema.org",
        "@type": "ScholarlyArticle",
        "headline": paper.title,
        "author": [*map(_described, paper.authors)],
        "datePublished": str(paper.date),
        "sameAs": paper.url,
        "abstract": text.plain(paper.note),
        "keywords": list(paper.tags),
        "url": page,
    }
    return json.dumps(described, ensure_ascii=False).replace("<", "\\u003c")


def _described(author: Author) -> dict[str, str]:
    kind = "Person" if isinstance(author, str) else "Organization"
    return {"@type": kind, "name": str(author)}


def _front_matter(value: str) -> str:
    """Quote for YAML, and escape for HTML: the theme prints it as it stands."""
    return _quoted(str(escape(value)))


def _quoted(text: str) -> str:
    """Quote as JSON and YAML both read it: JSON's pairs of surrogates are no YAML."""
    return json.dumps(text, ensure_ascii=False)
