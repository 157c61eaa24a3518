"""An edition → the generated pages of the website, as Markdown."""

from __future__ import annotations

import heapq
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from scripts.base import text
from scripts.base.dates import duration, long_date
from scripts.catalogue import Author, Catalogue, Entry, Publication
from scripts.catalogue.sections import SECTIONS
from scripts.exports.bibtex import bibtex_entry
from scripts.links.archive import lost
from scripts.links.software import repository
from scripts.papers.genealogy import Kin, reused_by
from scripts.site import gallery, genealogy_map, notebook_head
from scripts.site.edition import Edition
from scripts.site.facets import facets, facets_of, years
from scripts.site.lineage import Row, rows
from scripts.site.measured import headlines

# Stands for docs/assets/figures/journey.* wherever they are shown.
JOURNEY_ALT = (
    "Two thousand points, a round Gaussian cloud at first, are bent by one layer of a "
    "trained flow after the other, until they lie on the five arms of a pinwheel."
)

# How many entries the home page calls new, and how many notebooks it shows.
NEWEST, SHOWN = 5, 6
# Notebooks that open with the toy: its target and its flow there.
TOYS = {"nice": ("moons", "additive")}


def generated(edition: Edition) -> dict[str, str]:
    """Return the pages made from data: path under docs/ → Markdown.

    The list, the genealogy, the gallery of notebooks, and a page per publication.
    """
    environment = _environment(edition)
    page = environment.get_template
    catalogue = edition.catalogue
    works, flows = gallery.works(edition), _flows(edition)
    return {
        "list.md": page("list.md.jinja").render(
            root="../",
            facets=facets(catalogue, edition.software),
            years=years(catalogue),
            total=len(list(catalogue.entries)),
            notebooks=edition.notebooks,
        ),
        "genealogy.md": page("genealogy.md.jinja").render(
            root="../",
            rows=flows,
            names={row.id: row.name for row in flows},
            map=genealogy_map.draw(flows),
        ),
        "notebooks/index.md": page("gallery.md.jinja").render(
            root="../",
            works=works,
            families=gallery.families(works),
            purposes=gallery.purposes(works, catalogue),
        ),
        **_papers(edition, page("paper.md.jinja")),
    }


def _papers(edition: Edition, page: jinja2.Template) -> dict[str, str]:
    kin, project = edition.genealogy, edition.project
    related = _related(edition.catalogue)
    return {
        f"papers/{paper.id}.md": page.render(
            root="../../",
            paper=paper,
            structured=_quoted(_structured(paper, project.page(f"papers/{paper.id}/"))),
            related=_by_section(related[paper.id]),
            kin=kin.get(paper.id, Kin()),
            reused_by=reused_by(paper.id, kin),
            notebook=edition.notebooks.get(paper.id),
            line=edition.catalogue.lines.get(paper.id),
            compared=edition.comparison.of(paper.id),
            at_size=edition.at_size.of(paper.id),
            registered=edition.registered.get(paper.id),
            bibtex=bibtex_entry(paper).strip(),
        )
        for paper in edition.catalogue.publications
    }


def fill_in(markdown: str, edition: Edition, root: str) -> str:
    """Fill in what a page written by hand says of the catalogue and of measurements.

    `root` leads from the page to the site's root.
    """
    entries = list(edition.catalogue.entries)
    return (
        _environment(edition)
        .from_string(markdown)
        .render(
            root=root,
            comparison=edition.comparison,
            examination=edition.examination,
            by_family=_by_family(edition),
            reference=edition.reference,
            headlines=headlines,
            at_size=edition.at_size,
            straight=edition.straight,
            univariate=edition.univariate,
            notebooks=edition.notebooks,
            journey_alt=JOURNEY_ALT,
            total=len(entries),
            kinds=facets(edition.catalogue)[0].values,
            implemented=edition.implemented,
            papers=len(edition.catalogue.publications),
            newest=heapq.nlargest(NEWEST, entries, key=lambda e: (e.added, e.date)),
            works=gallery.first_of_families(gallery.works(edition), SHOWN),
            checks=sum(page.checks.number for page in edition.notebooks.values()),
        )
    )


def _by_family(edition: Edition) -> dict[str, list[gallery.RunningPaper]]:
    works = groupby(gallery.works(edition), key=lambda work: work.family)
    return {family: [*group] for family, group in works}


def toy(id: str, edition: Edition, root: str) -> Markup:
    """Return the toy as HTML for the page of a notebook that opens with it."""
    target, flow = TOYS[id]
    template = _environment(edition).from_string(
        '{% import "entry.html.jinja" as html with context %}'
        "{{ html.journey(target, flow, film=false) }}"
    )
    shown = {"target": target, "flow": flow, "journey_alt": JOURNEY_ALT}
    return Markup(template.render(root=root, **shown))


def description(edition: Edition) -> str:
    """Return a sentence on the site, with its numbers."""
    entries, papers = len([*edition.catalogue.entries]), edition.catalogue.publications
    return (
        f"{entries} papers, videos, posts and programs on normalizing flows, each with "
        f"a note; {len(edition.implemented)} of the {len(papers)} papers run here, in "
        "tested notebooks"
    )


def along_the_path(learn: str, ids: Sequence[str]) -> list[str]:
    """Order papers as the page for learners comes to them; others follow."""
    found = re.findall(r"notebooks/([a-z][a-z0-9_]*)/", learn)
    path = [id for id in dict.fromkeys(found) if id in ids]
    return [*path, *(id for id in ids if id not in path)]


def _flows(edition: Edition) -> list[Row]:
    names = {id: notebook.short for id, notebook in edition.notebooks.items()}
    families = {id: each.family for id, each in edition.registered.items()}
    return rows(edition.catalogue.publications, edition.genealogy, names, families)


def _related(catalogue: Catalogue) -> dict[str, list[Entry]]:
    """Id of a publication → the videos, blogs and code on it."""
    related: dict[str, list[Entry]] = defaultdict(list)
    for entry in catalogue.entries:
        for paper in getattr(entry, "papers", ()):
            related[paper].append(entry)
    return related


def _by_section(entries: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    return [
        (section.about, [entry for entry in entries if entry.section == section])
        for section in SECTIONS
    ]


def _environment(edition: Edition) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        # In Markdown the filters escape.
        autoescape=lambda name: bool(name and name.endswith(".html.jinja")),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        colab=lambda paper: notebook_head.colab(paper.id, edition.project),
        date=long_date,
        digits=text.significant,
        duration=duration,
        facets=lambda entry: facets_of(entry, edition.software).items(),
        front=_front_matter,
        upkeep=lambda entry: edition.software.get(repository(entry)),
        lost=lambda entry: lost(entry, edition.dead),
        md=text.escape_markdown,
        note=text.markdown_note,
        note_html=text.html_note,
        html=text.html,
        people=text.html_people,
        plain=text.plain,
        target=text.markdown_url,
    )
    entries = {entry.id: entry for entry in edition.catalogue.entries}
    environment.globals.update(
        catalogue=edition.catalogue, project=edition.project, entries=entries
    )
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
