"""What MkDocs calls while it builds; the only file that knows MkDocs."""

from __future__ import annotations

import os
from pathlib import Path

import jinja2
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from scripts import notebook_page, site
from scripts.catalogue import (
    Catalogue,
    CatalogueError,
    Publication,
    format_faults,
    load,
)
from scripts.exports import EXPORTS
from scripts.project import Project, read_project

_catalogue: Catalogue
_project: Project


def on_config(config: MkDocsConfig) -> None:
    """Read the catalogue, and put its notebooks into the navigation."""
    global _catalogue, _project
    root = Path(config.config_file_path).parent
    try:
        _catalogue = load(root / "resources.yaml", root / "implementations")
    except CatalogueError as error:
        raise PluginError(format_faults(error.faults, "text")) from None
    _project = read_project(root / "mkdocs.yml")
    notebooks = [
        f"notebooks/{p.id}.md" for p in _catalogue.publications if p.implemented
    ]
    config.nav = [*(config.nav or []), {"Notebooks": notebooks}]
    # No page shows a date of the build: two builds of one commit are the same.
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add what is generated from the catalogue and the notebooks."""
    generated: dict[str, str | bytes] = {**site.pages(_catalogue, _project)}
    for name, export in EXPORTS.items():
        generated[name] = export(_catalogue, _project)
    for paper in _catalogue.publications:
        if paper.implemented:
            generated |= _notebook(Path(config.docs_dir), paper)
    for path, content in generated.items():
        files.append(File.generated(config, path, content=content))


def _notebook(docs: Path, paper: Publication) -> dict[str, str | bytes]:
    try:
        return notebook_page.pages(docs, paper, _project)
    except notebook_page.NotebookError as error:
        raise PluginError(str(error)) from None


def on_page_markdown(markdown: str, page: Page, **_: object) -> str | None:
    """Fill in the home page."""
    return site.home(markdown, _catalogue, _project) if page.is_homepage else None


def on_env(env: jinja2.Environment, **_: object) -> None:
    """Spare a fifth of every page: the blank lines of the theme's templates."""
    env.trim_blocks = env.lstrip_blocks = True
