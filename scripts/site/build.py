"""One build of the website, or a preview's builds one after another."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import jinja2
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import AnchorLink
from mkdocs.utils import get_relative_url
from mkdocs_jupyter.config import settings as nbconvert
from mkdocstrings import MkdocstringsPlugin

from scripts.catalogue import CatalogueError
from scripts.exports import EXPORTS
from scripts.papers.cells import CellError
from scripts.results.files import ResultsError
from scripts.site import (
    cards,
    conversion,
    edition,
    glossary,
    notebook_head,
    notebook_page,
    pages,
    policy,
    search,
)
from scripts.site.cards import Card
from scripts.site.edition import Edition
from scripts.site.notebook_page import NotebookError
from scripts.site.policy import PolicyError
from scripts.site.wayfinding import PaperPages, paper_pages

# Pages written by hand that quote the catalogue, and the way from each to the root.
_TEMPLATES = {
    "index.md": "",
    "learn.md": "../",
    "compare.md": "../",
    "exactness.md": "../",
    "scale.md": "../",
    "straight.md": "../",
    "reference/index.md": "../",
    "reference/builders.md": "../../",
    "reference/core.md": "../../",
    "reference/maps.md": "../../",
}
# The stylesheet by concern, in docs/assets/styles/: what comes later has the last word.
_STYLES = (
    *("base", "frame", "text", "search", "entries", "home", "toy", "browse", "rows"),
    *("cards", "genealogy", "gallery", "notebooks", "figures", "learn", "compare"),
    *("straight", "exactness", "reference", "print"),
)
# What entries say is theirs, and a glossary need not explain itself.
_WITHOUT_GLOSSARY = re.compile(r"(?:papers/.*|genealogy|glossary|list)\.md")
# Pygments' classes of names, built-ins, numbers, operators, punctuation, blanks, and of
# what surrounds a value in a string.
_PLAIN = re.compile(
    r'<span(?: class="(?:bp|fm|kc|mf|mi|n|nb|nn|o|p|sa|si|w)")?>([^<]*)</span>'
)
# Strings of every kind have one colour, and so have keywords, `in` and `not` included.
_STRING = re.compile(r'<span class="s[12]">')
_KEYWORD = re.compile(r'<span class="(?:k[dnprt]|ow)">')
_TWO_OF_A_COLOUR = re.compile(r'(<span class="(\w+)">[^<]*)</span><span class="\2">')
_PREFORMATTED = re.compile(r"(<pre.*?</pre>)", re.DOTALL)
_INDENT = re.compile(r"\n\s+")
_CSS_COMMENT = re.compile(r"\s*/\*.*?\*/", re.DOTALL)


class Build:
    """The steps of a build; `scripts/site/hooks.py` calls them.

    `edition` is what is shown; while its sources are at fault, a preview keeps the
    last. `generated` has content by its path under docs/, `words` the forms of the
    glossary's words, `cards` by a paper's id how its pages say what to show beside a
    link to them ("" is for all other pages), `works` what its two pages have in common,
    `finished` the HTML of notebooks that were converted side by side, by their source.
    """

    def __init__(self) -> None:
        self.preview = False
        self.edition: Edition | None = None
        self.generated: Mapping[str, str | bytes] = {}
        self.words: Mapping[str, str] = {}
        self.cards: Mapping[str, dict[str, str]] = {}
        self.works: Mapping[str, PaperPages] = {}
        self.finished: Mapping[str, str] = {}
        self.theme = jinja2.Environment()
        # The way from a page to the root → the theme's inline scripts on such a page.
        self.theme_scripts: dict[str, list[str]] = {}

    def configure(self, config: MkDocsConfig) -> None:
        """Generate the pages; put the notebooks among them into the navigation."""
        root = Path(config.config_file_path).parent
        conversion.prepare(root / ".cache" / "templates")
        try:
            self._read(root, config)
        except (CatalogueError, CellError, ResultsError, NotebookError) as error:
            if not self.edition:
                raise PluginError(str(error)) from None
            print(error, file=sys.stderr)
        config.extra["card"] = self.cards[""]
        # The gallery, on which the section opens, is generated before the notebooks.
        path = pages.along_the_path(
            str(self.generated["learn.md"]), list(self._notebooks)
        )
        # Short names: the menu, the title and the way to a page have one for a work.
        named = ({self._notebooks[id].short: _source(id)} for id in path)
        notebooks = ["notebooks/index.md", *named]
        config.nav = [*(config.nav or []), {"Notebooks": notebooks}]
        _use_our_template(root, config)
        # We have our own, and it would be one more request of every page.
        config.extra_css.remove(MkdocstringsPlugin.css_filename)
        # The one date in a site, the sitemap's, would make each build another.
        os.environ.setdefault("SOURCE_DATE_EPOCH", "0")

    @property
    def _notebooks(self) -> Mapping[str, notebook_page.NotebookPage]:
        return self.edition.notebooks if self.edition else {}

    def _read(self, root: Path, config: MkDocsConfig) -> None:
        new = edition.read(root)
        config.site_description = pages.description(new)
        docs = root / "docs"
        generated: dict[str, str | bytes] = {
            name: pages.fill_in((docs / name).read_text("utf-8"), new, to_root)
            for name, to_root in _TEMPLATES.items()
        }
        generated |= pages.generated(new)
        for notebook in new.notebooks.values():
            generated |= notebook.files
        for name, export in EXPORTS.items():
            generated[name] = export(new.catalogue, new.project)
        styles = (docs / "assets" / "styles" / f"{name}.css" for name in _STYLES)
        sheets = "\n".join(sheet.read_text("utf-8") for sheet in styles)
        generated["assets/site.css"] = _INDENT.sub("\n", _CSS_COMMENT.sub("", sheets))
        drawn = _draw_cards(root, config, new)
        folder = root / ".cache" / "cards"
        with ThreadPoolExecutor() as pool:
            pngs = pool.map(partial(cards.cached, folder=folder), drawn.values())
            generated |= zip(map(_address, drawn.values()), pngs, strict=True)
        self.edition, self.generated = new, generated
        self.cards = {id: _card_metadata(card, config) for id, card in drawn.items()}
        self.works = paper_pages(new)
        self.words = glossary.read((docs / "glossary.md").read_text("utf-8"))

    def add_files(self, files: Files, config: MkDocsConfig) -> None:
        """Add what was generated; pages take the place of their templates.

        A notebook is a page, and a file to download beside it.
        """
        for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
            id = Path(notebook.src_uri).stem
            if id not in self._notebooks:
                files.remove(notebook)
                continue
            content = Path(notebook.abs_src_path or "").read_bytes()
            path = f"notebooks/{id}.download.ipynb"
            download = File.generated(config, path, content=content)
            download.dest_uri = notebook.src_uri
            files.append(download)
        for path, content in self.generated.items():
            if template := files.get_file_from_path(path):
                files.remove(template)
            files.append(File.generated(config, path, content=content))

    def convert_notebooks(self, config: MkDocsConfig, files: Files) -> None:
        """Convert the notebooks side by side, but where a preview has threads."""
        if self.preview:
            return
        found = map(files.get_file_from_path, map(_source, self._notebooks))
        pages = [file.page for file in found if file and file.page]
        jupyter = config.plugins["mkdocs-jupyter"]

        def converted(page: Page) -> str:
            jupyter.on_pre_page(page, config=config, files=files)  # pyright: ignore[reportAttributeAccessIssue]
            page.render(config, files)
            return self.finish(page.content or "", page)

        self.finished = conversion.side_by_side(
            {page.file.src_uri: partial(converted, page) for page in pages}
        )

    def name_card(self, page: Page) -> None:
        """Tell the template a page's card and work, and what a notebook is about."""
        room, name = _place(page)
        if self.edition and room == "notebooks" and name in self._notebooks:
            title = self._notebooks[name].title
            page.meta["description"] = f"{title}: its flow and claims, tested"
            page.meta["colab"] = notebook_head.colab(name, self.edition.project)
        if room in ("papers", "notebooks") and name in self.cards:
            page.meta["card"] = self.cards[name]
        if room in ("papers", "notebooks") and name in self.works:
            page.meta["work"] = self.works[name]

    def finish(self, html: str, page: Page) -> str:
        """Finish notebooks, colour little of the code, link words to the glossary.

        Keywords, definitions and strings have colours only: code in half the markup.
        """
        room, name = _place(page)
        if room == "notebooks" and name in self._notebooks:
            anchors = list(_anchors(page.toc))
            page.present_anchor_ids = set(anchors)  # so that links to them are checked
            if finished := self.finished.get(page.file.src_uri):
                return finished
            html = self._finish_notebook(html, page, name, anchors)
        html = _STRING.sub('<span class="s">', _PLAIN.sub(r"\1", html))
        html = _KEYWORD.sub('<span class="k">', html)
        html = _TWO_OF_A_COLOUR.sub(r"\1", html)
        html = search.without_code_and_formulas(html)
        if _WITHOUT_GLOSSARY.fullmatch(page.file.src_uri):
            return html
        return glossary.mark(html, self.words, get_relative_url("glossary/", page.url))

    def _finish_notebook(
        self, html: str, page: Page, id: str, anchors: Sequence[str]
    ) -> str:
        notebook = self._notebooks[id]
        if self.edition and id in pages.TOYS:
            toy = pages.toy(id, self.edition, get_relative_url("./", page.url))
            notebook = notebook._replace(head=notebook.head + toy)
        try:
            return notebook_page.finish(html, notebook, anchors)
        except NotebookError as error:
            raise PluginError(f"{page.file.src_uri}: {error}") from None

    def see_theme(self, theme: jinja2.Environment) -> None:
        """Take the theme's templates, whose inline scripts the policy allows."""
        self.theme = theme
        self.theme_scripts = {}

    def protect_page(self, html: str, page: Page, config: MkDocsConfig) -> str:
        """Add the policy; drop the templates' indentation, a fifth of a short page."""
        parts = _PREFORMATTED.split(html)
        parts[::2] = [_INDENT.sub("\n", part) for part in parts[::2]]
        root = get_relative_url(".", page.url)
        return self._protected("".join(parts), root, config, page.file.src_uri)

    def protect_template(self, html: str, name: str, config: MkDocsConfig) -> str:
        """Add the policy to the page for what is not found, too."""
        if not name.endswith(".html"):
            return html
        return self._protected(
            html, urlsplit(config.site_url or "/").path, config, name
        )

    def finish_search(self, config: MkDocsConfig) -> None:
        """Set apart what the search looks through, when the theme has written it."""
        if self.edition:
            search.set_documents_apart(Path(config.site_dir), self.edition.catalogue)

    def _protected(self, html: str, root: str, config: MkDocsConfig, name: str) -> str:
        if root not in self.theme_scripts:
            self.theme_scripts[root] = _inline_scripts(self.theme, root, config)
        try:
            if self.preview:
                return policy.protect_preview(html)
            return policy.protect(html, self.theme_scripts[root])
        except PolicyError as error:
            raise PluginError(f"{name}: {error}") from None


def _use_our_template(root: Path, config: MkDocsConfig) -> None:
    """Have mkdocs-jupyter render notebooks by our template, and forget older ones."""
    nbconvert.templates_dir = str(notebook_page.TEMPLATE)
    files = sorted(notebook_page.TEMPLATE.glob("*/*"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    cache = root / ".cache" / "pages" / digest[:16]
    config.plugins["mkdocs-jupyter"].config["cache_dir"] = str(cache)


def _draw_cards(root: Path, config: MkDocsConfig, new: Edition) -> dict[str, Card]:
    still = (root / "docs/assets/figures/journey.png").read_bytes()
    name, about = config.site_name, config.site_description or ""
    shared = cards.of_site(name, about, still, pages.JOURNEY_ALT)
    return {"": shared, **cards.of_papers(new.implemented, new.notebooks, name)}


def _address(card: Card) -> str:
    return f"assets/cards/{cards.name_of(card)}"


def _card_metadata(card: Card, config: MkDocsConfig) -> dict[str, str]:
    # Elsewhere, an address without its host means nothing.
    image = f"{config.site_url}{_address(card)}"
    return {"image": image, "alt": f"{card.title}. {card.alt}"}


def _source(id: str) -> str:
    return f"notebooks/{id}.ipynb"


def _place(page: Page) -> tuple[str, str]:
    """Return the folder and the name of a page's source, which may be an id."""
    folder, _slash, name = page.file.src_uri.partition("/")
    return folder, name.partition(".")[0]


def _anchors(contents: Iterable[AnchorLink]) -> Iterator[str]:
    for heading in contents:
        yield heading.id
        yield from _anchors(heading.children)


def _inline_scripts(
    theme: jinja2.Environment, root: str, config: MkDocsConfig
) -> list[str]:
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
        for script in policy.inline_scripts(theme.get_template(name).render(context))
    ]
