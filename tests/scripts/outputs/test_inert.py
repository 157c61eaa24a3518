"""Each hostile text in README.md and on the pages: shown, and nothing else.

What a page is made of must be what it is made of where every text is harmless.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

import markdown
import pytest
import yaml
from markdown_it import MarkdownIt

from scripts import readme
from scripts.base.project import ROOT, read_project
from scripts.catalogue import Catalogue
from scripts.links.history import key
from scripts.papers.genealogy import Genealogy, genealogy
from scripts.site import notebook_page
from scripts.site import pages as site
from scripts.site.edition import Edition
from tests.frozen import FROZEN, frozen_catalogue
from tests.support.editions import edition_of
from tests.support.hostile import HARMLESS, admitted, harmless, harmless_note
from tests.support.payloads import PAYLOADS, TEXT, Field, cases
from tests.support.skeleton import Skeleton

PROJECT = read_project()


def dead(catalogue: Catalogue) -> dict[str, datetime.date]:
    """Half of the addresses, which are marked, and an archive's given instead."""
    entries = list(catalogue.entries)[::2]
    return {key(entry.url): datetime.date(2026, 1, 2) for entry in entries}


def readme_html(catalogue: Catalogue) -> dict[str, str]:
    parser = MarkdownIt("commonmark", {"html": True, "linkify": False})
    parser.enable(["table", "strikethrough"])
    page = readme.render(catalogue, PROJECT, dead=dead(catalogue))
    return {"README.md": parser.render(page)}


@cache
def notebooks() -> Mapping[str, notebook_page.NotebookPage]:
    papers = frozen_catalogue().publications
    return {
        paper.id: notebook_page.read(ROOT / "docs", paper, PROJECT)
        for paper in papers
        if paper.implemented
    }


@cache
def kin() -> Genealogy:
    return genealogy(FROZEN)


@cache
def python_markdown() -> markdown.Markdown:
    """The reader that mkdocs.yml describes, with MkDocs' own three extensions."""
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    named: list[Any] = yaml.load(text, yaml.BaseLoader)["markdown_extensions"]
    settings: dict[str, Any] = {"fenced_code": {}, "tables": {}, "toc": {}}
    for each in named:
        settings |= each if isinstance(each, dict) else {each: {}}
    return markdown.Markdown(extensions=[*settings], extension_configs=settings)


def edition(catalogue: Catalogue) -> Edition:
    return edition_of(
        catalogue, genealogy=kin(), notebooks=notebooks(), dead=dead(catalogue)
    )


def generated_html(catalogue: Catalogue) -> dict[str, str]:
    pages = site.generated(edition(catalogue))
    papers = {path for path in pages if path.startswith("papers/")}
    chosen = {*pages} - papers | {"papers/nice.md", "papers/flows_review.md"}
    return {path: body_html(pages[path]) for path in sorted(chosen)}


def written_html(catalogue: Catalogue) -> dict[str, str]:
    sources = {path.name: path for path in (ROOT / "docs").glob("*.md")}
    sources["learn.md"] = FROZEN / "docs" / "learn.md"  # it names entries
    texts = {name: path.read_text("utf-8") for name, path in sources.items()}
    filled = {
        name: site.fill_in(text, edition(catalogue), "../")
        for name, text in texts.items()
        if "{%" in text or "{{" in text
    }
    return {name: body_html(page) for name, page in filled.items()}


def body_html(page: str) -> str:
    """Render what follows the front matter."""
    _, _, body = page.lstrip().removeprefix("---\n").partition("\n---\n")
    return python_markdown().reset().convert(body)


# Whatever shows the catalogue as HTML joins here.
OUTPUTS: dict[str, Callable[[Catalogue], dict[str, str]]] = {
    "README.md": readme_html,
    "generated pages": generated_html,
    "written pages": written_html,
}

ADMITTED = [name for name, payload in PAYLOADS.items() if payload.admitted]


def skeletons(output: str, catalogue: Catalogue) -> dict[str, Skeleton]:
    return {path: Skeleton(page) for path, page in OUTPUTS[output](catalogue).items()}


@cache
def harmless_skeletons(output: str, kinds: Field, note: str) -> dict[str, Skeleton]:
    return skeletons(output, harmless(kinds, note))


@pytest.mark.sampled("output")
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("name", cases(ADMITTED))
def test_no_element_that_the_templates_did_not_make(name: str, output: str) -> None:
    payload = PAYLOADS[name]
    pages = skeletons(output, admitted(payload))
    twins = harmless_skeletons(output, payload.admitted, harmless_note(payload))
    assert list(pages) == list(twins)
    for path, found in pages.items():
        expected = twins[path]
        assert found.parts == expected.parts, path
        assert places(found, payload.text) == places(expected, HARMLESS), path
        assert {urlsplit(each).scheme for each in found.addresses} <= {"https", ""}
    if TEXT in payload.admitted:
        shown = " ".join(words(page.text) for page in pages.values())
        assert words(payload.text) in shown


def places(page: Skeleton, address: str) -> list[str]:
    """Where the page's links lead; those to `address`, on any host, are all one."""
    hosts = re.compile(r"^(?:https://web\.archive\.org/web/\d+/)?https://[xyz]\d+\.")
    found = [hosts.sub("https://", each) for each in page.addresses]
    same = {unquote(address), HARMLESS}
    return ["*" if unquote(each) in same else each for each in found]


def words(text: str) -> str:
    return " ".join(text.split())
