"""MkDocs' hooks, called while it builds: each is a step of scripts/site/build.py."""

from __future__ import annotations

from typing import Any, Literal

import jinja2
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

from scripts.site.build import Build

_build = Build()


def on_startup(command: Literal["build", "gh-deploy", "serve"], dirty: bool) -> None:
    """Note whether this is a preview; where this is defined, MkDocs keeps `_build`."""
    _build.preview = command == "serve"


def on_config(config: MkDocsConfig) -> None:
    """Generate the pages."""
    _build.configure(config)


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add what was generated."""
    _build.add_files(files, config)


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> None:
    """Convert the notebooks."""
    _build.convert_notebooks(config, files)


def on_env(env: jinja2.Environment, **_: Any) -> None:
    """Take the theme's templates."""
    _build.see_theme(env)


def on_page_markdown(markdown: str, page: Page, **_: Any) -> None:
    """Name the page's card."""
    _build.name_card(page)


def on_page_content(html: str, page: Page, **_: Any) -> str:
    """Finish what the page says."""
    return _build.finish(html, page)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Finish the whole page."""
    return _build.protect_page(output, page, config)


def on_post_template(output: str, template_name: str, config: MkDocsConfig) -> str:
    """Finish the page for what is not found."""
    return _build.protect_template(output, template_name, config)


def on_post_build(config: MkDocsConfig) -> None:
    """Finish the search."""
    _build.finish_search(config)
