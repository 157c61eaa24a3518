"""What MkDocs calls while it builds; the only file that knows MkDocs."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from scripts import notebook_page, site
from scripts.catalogue import CatalogueError, load
from scripts.exports import EXPORTS
from scripts.genealogy import genealogy
from scripts.notebook.cells import CellError
from scripts.notebook_page import NotebookError
from scripts.project import read_project

# Path under docs/ → content. While its sources are at fault, a preview keeps the last.
_generated: dict[str, str | bytes] = {}


def on_config(config: MkDocsConfig) -> None:
    """Generate the pages, and put the notebooks among them into the navigation."""
    global _generated
    try:
        _generated = _generate(Path(config.config_file_path).parent)
    except (CatalogueError, CellError, NotebookError) as error:
        if not _generated:
            raise PluginError(str(error)) from None
        print(error, file=sys.stderr)
    # The gallery, on which the section opens, is generated before the notebooks.
    notebooks = [
        path
        for path in _generated
        if path.startswith("notebooks/") and path.endswith(".md")
    ]
    config.nav = [*(config.nav or []), {"Notebooks": notebooks}]
    # The one date in a site, the sitemap's, would make each build another.
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")


# Pages written by hand that quote the catalogue, and the way from each to the root.
_TEMPLATES = {"index.md": "", "learn.md": "../"}


def _generate(root: Path) -> dict[str, str | bytes]:
    catalogue = load(root / "resources.yaml", root / "implementations")
    project = read_project(root / "mkdocs.yml")
    generated: dict[str, str | bytes] = {}
    for name, to_root in _TEMPLATES.items():
        written = (root / "docs" / name).read_text("utf-8")
        generated[name] = site.fill_in(written, catalogue, project, to_root)
    notebooks = {
        paper.id: notebook_page.render(root / "docs", paper, project)
        for paper in catalogue.publications
        if paper.implemented
    }
    lines = site.first_lines((root / "resources.yaml").read_text("utf-8"))
    generated |= site.pages(catalogue, project, genealogy(root), notebooks, lines)
    for notebook in notebooks.values():
        generated |= notebook.files
    for name, export in EXPORTS.items():
        generated[name] = export(catalogue, project)
    return generated


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add what was generated; pages take the place of their templates."""
    for path, content in _generated.items():
        if template := files.get_file_from_path(path):
            files.remove(template)
        files.append(File.generated(config, path, content=content))


# Pygments' classes of names, built-ins, numbers, operators, punctuation and blanks.
_PLAIN = re.compile(
    r'<span(?: class="(?:bp|fm|kc|mf|mi|n|nb|nn|o|p|w)")?>([^<]*)</span>'
)


def on_page_content(html: str, **_: object) -> str:
    """Colour keywords, definitions and strings only: code in half the markup."""
    return _PLAIN.sub(r"\1", html)


_PREFORMATTED = re.compile(r"(<pre.*?</pre>)", re.DOTALL)
_INDENT = re.compile(r"\n\s+")


def on_post_page(output: str, **_: object) -> str:
    """Drop the indentation of the theme's templates: a fifth of a short page."""
    parts = _PREFORMATTED.split(output)
    parts[::2] = [_INDENT.sub("\n", part) for part in parts[::2]]
    return "".join(parts)
