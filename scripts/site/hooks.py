"""What MkDocs calls while it builds; the only file that knows MkDocs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import jinja2
from jinja2.runtime import Context
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import AnchorLink
from mkdocs.utils import get_relative_url
from mkdocs_jupyter.config import settings as nbconvert

from scripts.base.files import write_atomic
from scripts.base.project import read_project
from scripts.catalogue import CatalogueError, Publication, load
from scripts.exports import EXPORTS
from scripts.links import history
from scripts.papers.cells import CellError
from scripts.papers.genealogy import genealogy
from scripts.results.reading import ResultsError
from scripts.site import cards, glossary, notebook_page, policy
from scripts.site import pages as site
from scripts.site.cards import Card
from scripts.site.measured.exactness import examine
from scripts.site.measured.speed import compare
from scripts.site.notebook_page import NotebookError, NotebookPage
from scripts.site.policy import PolicyError

# Path under docs/ → content. While its sources are at fault, a preview keeps the last.
_generated: dict[str, str | bytes] = {}


def on_config(config: MkDocsConfig) -> None:
    """Generate the pages, and put the notebooks among them into the navigation."""
    global _generated
    try:
        _generated = _generate(Path(config.config_file_path).parent, config)
    except (CatalogueError, CellError, ResultsError, NotebookError) as error:
        if not _generated:
            raise PluginError(str(error)) from None
        print(error, file=sys.stderr)
    config.extra["card"] = _cards[""]
    # The gallery, on which the section opens, is generated before the notebooks.
    notebooks = [f"notebooks/{id}.ipynb" for id in _notebooks]
    config.nav = [
        *(config.nav or []),
        {"Notebooks": ["notebooks/index.md", *notebooks]},
    ]
    _use_our_template(config)
    # The one date in a site, the sitemap's, would make each build another.
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")


# Pages written by hand that quote the catalogue, and the way from each to the root.
_TEMPLATES = {
    "index.md": "",
    "learn.md": "../",
    "compare.md": "../",
    "exactness.md": "../",
}


def _generate(root: Path, config: MkDocsConfig) -> dict[str, str | bytes]:
    catalogue = load(root / "resources.yaml", root / "implementations")
    project = read_project(root / "mkdocs.yml")
    results = root / "benchmarks" / "results"
    comparison, examination = compare(results), examine(results)
    _words.clear()
    _words.update(glossary.read((root / "docs/glossary.md").read_text("utf-8")))
    dead = history.dead_in(root)
    by_hand: dict[str, str] = {}
    for name, to_root in _TEMPLATES.items():
        written = (root / "docs" / name).read_text("utf-8")
        by_hand[name] = site.fill_in(
            written, catalogue, project, comparison, examination, to_root, dead
        )
    implemented = {
        paper.id: paper for paper in catalogue.publications if paper.implemented
    }
    notebooks = {
        id: notebook_page.read(
            root / "docs",
            implemented[id],
            project,
            comparison.gpu.of(id) if comparison.gpu else "",
        )
        for id in site.along_the_path(by_hand["learn.md"], list(implemented))
    }
    _notebooks.clear()
    _notebooks.update(notebooks)
    lines = site.first_lines((root / "resources.yaml").read_text("utf-8"))
    generated: dict[str, str | bytes] = {**by_hand}
    generated |= site.pages(
        catalogue, project, genealogy(root), notebooks, lines, comparison, dead
    )
    for notebook in notebooks.values():
        generated |= notebook.files
    for name, export in EXPORTS.items():
        generated[name] = export(catalogue, project)
    return generated | _draw_cards(root, config, implemented, notebooks)


# Id of a paper → what its notebook's page adds, in the order of the navigation.
_notebooks: dict[str, NotebookPage] = {}


def _use_our_template(config: MkDocsConfig) -> None:
    """Have mkdocs-jupyter render notebooks by our template, and forget older ones."""
    nbconvert.templates_dir = str(notebook_page.TEMPLATE)
    files = sorted(notebook_page.TEMPLATE.glob("*/*"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    folder = Path(config.config_file_path).parent / ".cache/pages"
    config.plugins["mkdocs-jupyter"].config["cache_dir"] = str(folder / digest[:16])


# Id of a paper → how its pages say what to show beside a link to them; "" → all others.
_cards: dict[str, dict[str, str]] = {}


def _draw_cards(
    root: Path,
    config: MkDocsConfig,
    papers: Mapping[str, Publication],
    notebooks: Mapping[str, NotebookPage],
) -> dict[str, bytes]:
    """Draw the cards that were not drawn before, and remember whose they are."""
    still = (root / "docs/assets/figures/journey.png").read_bytes()
    name, about = config.site_name, config.site_description or ""
    shared = cards.of_site(name, about, still, site.JOURNEY_ALT)
    own = cards.of_papers(papers.values(), notebooks, name)
    _cards.clear()
    _cards[""] = _told(shared, config)
    _cards.update({id: _told(card, config) for id, card in own.items()})
    folder = root / ".cache" / "cards"
    return {
        f"assets/cards/{cards.name_of(card)}": cards.cached(card, folder)
        for card in (shared, *own.values())
    }


def _told(card: Card, config: MkDocsConfig) -> dict[str, str]:
    # Elsewhere, an address without its host means nothing.
    image = f"{config.site_url}assets/cards/{cards.name_of(card)}"
    return {"image": image, "alt": f"{card.title}. {card.alt}"}


def on_page_markdown(markdown: str, page: Page, **_: Any) -> None:
    """Tell the template which card the page has."""
    room, name = _place(page)
    if room in ("papers", "notebooks") and name in _cards:
        page.meta["card"] = _cards[name]


def _place(page: Page) -> tuple[str, str]:
    """Return the folder and the name of a page's source, which may be an id."""
    folder, _slash, name = page.file.src_uri.partition("/")
    return folder, name.partition(".")[0]


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add what was generated; pages take the place of their templates.

    A notebook is a page, and a file to download beside it.
    """
    for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
        id = Path(notebook.src_uri).stem
        if id not in _notebooks:
            files.remove(notebook)
            continue
        path = f"notebooks/{id}.download.ipynb"
        content = Path(notebook.abs_src_path or "").read_bytes()
        download = File.generated(config, path, content=content)
        download.dest_uri = notebook.src_uri
        files.append(download)
    for path, content in _generated.items():
        if template := files.get_file_from_path(path):
            files.remove(template)
        files.append(File.generated(config, path, content=content))


# Pygments' classes of names, built-ins, numbers, operators, punctuation, blanks, and of
# what surrounds a value in a string.
_PLAIN = re.compile(
    r'<span(?: class="(?:bp|fm|kc|mf|mi|n|nb|nn|o|p|sa|si|w)")?>([^<]*)</span>'
)
_TWO_OF_A_COLOUR = re.compile(r'(<span class="(\w+)">[^<]*)</span><span class="\2">')


# What entries say is theirs, and a glossary need not explain itself.
_WITHOUT_GLOSSARY = re.compile(r"(?:papers/.*|genealogy|glossary|list)\.md")
_words: dict[str, str] = {}


def on_page_content(html: str, page: Page, **_: Any) -> str:
    """Finish notebooks, colour little of the code, and link words to the glossary.

    Keywords, definitions and strings have colours only: code in half the markup.
    """
    room, name = _place(page)
    if room == "notebooks" and name in _notebooks:
        html = _finish(html, page, _notebooks[name])
    html = _TWO_OF_A_COLOUR.sub(r"\1", _PLAIN.sub(r"\1", html))
    if _WITHOUT_GLOSSARY.fullmatch(page.file.src_uri):
        return html
    return glossary.mark(html, _words, get_relative_url("glossary/", page.url))


def _finish(html: str, page: Page, notebook: NotebookPage) -> str:
    anchors = list(_anchors(page.toc))
    page.present_anchor_ids = set(anchors)  # so that links to them are checked
    try:
        return notebook_page.finish(html, notebook, anchors)
    except NotebookError as error:
        raise PluginError(f"{page.file.src_uri}: {error}") from None


def _anchors(contents: Iterable[AnchorLink]) -> Iterator[str]:
    for heading in contents:
        yield heading.id
        yield from _anchors(heading.children)


_PREFORMATTED = re.compile(r"(<pre.*?</pre>)", re.DOTALL)
_INDENT = re.compile(r"\n\s+")


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Drop the indentation of the theme's templates: a fifth of a short page."""
    parts = _PREFORMATTED.split(output)
    parts[::2] = [_INDENT.sub("\n", part) for part in parts[::2]]
    root = get_relative_url(".", page.url)
    return _protected("".join(parts), root, config, page.file.src_uri)


def on_post_template(output: str, template_name: str, config: MkDocsConfig) -> str:
    """Give the page for what is not found its policy, too."""
    if not template_name.endswith(".html"):
        return output
    root = urlsplit(config.site_url or "/").path
    return _protected(output, root, config, template_name)


_preview = False
# The way from a page to the site's root → the theme's inline scripts on such a page.
_own_scripts: dict[str, list[str]] = {}
_environment: jinja2.Environment


def on_startup(command: Literal["build", "gh-deploy", "serve"], dirty: bool) -> None:
    """Remember whether this is a preview; MkDocs then keeps this module's state."""
    global _preview
    _preview = command == "serve"


# What the theme shows alike on pages outside the navigation, but for the way from
# their folder to the root: a third of its work.
_PARTIALS_ALIKE = ("nav", "palette", "search", "source")
_BLOCKS_ALIKE = ("config", "footer", "styles", "tabs")


def on_env(env: jinja2.Environment, **_: Any) -> None:
    """Remember the theme's templates, and begin anew with what they hold."""
    global _environment
    _environment = env
    _own_scripts.clear()
    for name in _PARTIALS_ALIKE:
        partial = env.get_template(f"partials/{name}.html")
        partial.root_render_func = _once_a_folder(partial.root_render_func)
    blocks = env.get_template("base.html").blocks
    for name in _BLOCKS_ALIKE:
        blocks[name] = _once_a_folder(blocks[name])


_Render = Callable[[Context], Iterator[str]]


def _once_a_folder(render: _Render) -> _Render:
    """Render once for all pages of a folder that the navigation does not name."""
    rendered: dict[str, str] = {}

    def kept(context: Context) -> Iterator[str]:
        page, nav = context["page"], context["nav"]
        if page is None or any(each is page for each in nav.pages):
            yield from render(context)
            return
        folder = page.url.rpartition("/")[0].rpartition("/")[0]
        if folder not in rendered:
            rendered[folder] = "".join(render(context))
        yield rendered[folder]

    return kept


def _protected(html: str, root: str, config: MkDocsConfig, name: str) -> str:
    if root not in _own_scripts:
        _own_scripts[root] = _theme_scripts(root, config)
    try:
        if _preview:
            return policy.protect_preview(html)
        return policy.protect(html, _own_scripts[root])
    except PolicyError as error:
        raise PluginError(f"{name}: {error}") from None


def _theme_scripts(root: str, config: MkDocsConfig) -> list[str]:
    """Take the scripts from the theme itself, where no entry can have put any."""
    context = {
        "base_url": root,
        "config": config,
        "features": config.theme["features"],
    }
    templates = {
        f"partials/javascripts/{path.name}"
        for folder in config.theme.dirs
        for path in Path(folder, "partials/javascripts").glob("*.html")
    }
    return [
        script
        for name in templates
        for script in policy.inline_scripts(
            _environment.get_template(name).render(context)
        )
    ]


def on_post_build(config: MkDocsConfig) -> None:
    """Set the documents of the search apart; docs/assets/search.js fetches them."""
    folder = Path(config.site_dir) / "search"
    index = json.loads((folder / "search_index.json").read_text("utf-8"))
    documents, index["docs"] = index["docs"], []
    for name, content in ("documents", documents), ("search_index", index):
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        write_atomic(folder / f"{name}.json", text)
