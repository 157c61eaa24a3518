"""The notebook pages of the built site."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterator
from html import unescape
from itertools import pairwise

import nbformat
import pytest
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode

from scripts.base.project import ROOT, read_project
from tests.site.conftest import Built
from tests.site.test_build import article
from tests.support.html import Parsed

PROJECT = read_project()
NOTEBOOKS = sorted(path.stem for path in (ROOT / "docs/notebooks").glob("*.ipynb"))
# NICE's is the shortest; kilobytes of HTML, plain and compressed, of eleven notebooks.
LIMITS = {"nice": (90, 22)}
LIMIT = (160, 35)
# Bytes of the line that each further one has in the menu of all.
ELEVEN, LINE = 11, (160, 30)


def read(id: str) -> NotebookNode:
    return nbformat.read(ROOT / "docs/notebooks" / f"{id}.ipynb", as_version=4)


def test_there_are_notebooks() -> None:
    assert "nice" in NOTEBOOKS


@pytest.mark.parametrize("id", NOTEBOOKS)
def test_a_page_is_light(pages: dict[str, str], id: str) -> None:
    html = pages[f"notebooks/{id}/"].encode()
    beyond = len(NOTEBOOKS) - ELEVEN
    plain, compressed = LIMITS.get(id, LIMIT)
    assert len(html) <= plain * 1000 + beyond * LINE[0]
    assert len(gzip.compress(html)) <= compressed * 1000 + beyond * LINE[1]
    assert b"base64" not in html


@pytest.mark.parametrize("id", NOTEBOOKS)
def test_every_figure_is_there_with_its_authors_words(
    built: Built, pages: dict[str, str], id: str
) -> None:
    written = [
        (" ".join(output.metadata["image/png"]["alt"].split()), cell.metadata.title)
        for cell in read(id).cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
        and "thumbnail" not in output.metadata["image/png"]
    ]
    html = article(pages[f"notebooks/{id}/"])
    images = [tag.attributes for tag in Parsed(html).tags if tag.name == "img"]
    captions = map(unescape, re.findall("<figcaption>(.*?)</figcaption>", html))
    alts = [image["alt"] for image in images if "data-part" not in image]
    assert [*zip(alts, captions, strict=True)] == written
    assert len({*alts}) == len(alts)
    for image in images:
        assert (built.site / "notebooks" / id / image["src"]).is_file()
        assert int(image["width"]) > 0 < int(image["height"])


def test_notebooks_lead_along_the_path(pages: dict[str, str]) -> None:
    """Those of the page for learners, in its order; so do previous and next."""
    learn = article(pages["learn/"])
    path = [*dict.fromkeys(re.findall(r"notebooks/(\w+)/", learn))]
    assert set(path) <= set(NOTEBOOKS)
    for here, there in pairwise(path):
        assert footer(pages[f"notebooks/{here}/"])["next"] == f"../{there}/"
        assert footer(pages[f"notebooks/{there}/"])["prev"] == f"../{here}/"


def footer(html: str) -> dict[str, str]:
    """Return where the footer leads, by direction."""
    found = re.findall(
        'href="([^"]*)" class="md-footer__link md-footer__link--(prev|next)"', html
    )
    return {direction: address for address, direction in found}


@pytest.mark.parametrize("id", NOTEBOOKS)
def test_a_page_leads_up_to_what_it_is_made_of(pages: dict[str, str], id: str) -> None:
    html = article(pages[f"notebooks/{id}/"])
    texts = re.findall('<a href="([^"]*)">(Paper|Open in Colab|Download|Source)<', html)
    assert {text: address for address, text in texts} == {
        "Paper": f"../../papers/{id}/",
        "Open in Colab": PROJECT.colab(f"docs/notebooks/{id}.ipynb"),
        "Download": f"../{id}.ipynb",
        "Source": PROJECT.blob(f"implementations/{id}.py"),
    }


@pytest.mark.parametrize("id", NOTEBOOKS)
def test_the_download_is_the_committed_notebook(built: Built, id: str) -> None:
    path = f"notebooks/{id}.ipynb"
    assert (built.site / path).read_bytes() == (ROOT / "docs" / path).read_bytes()


@pytest.mark.parametrize("id", NOTEBOOKS)
def test_all_code_is_on_the_page(pages: dict[str, str], id: str) -> None:
    text = Parsed(article(pages[f"notebooks/{id}/"])).text
    for cell in read(id).cells:
        if cell.cell_type == "code":
            installs = "setup" in cell.metadata.get("tags", [])
            assert (cell.source.strip() in text) != installs


@pytest.mark.parametrize("id", NOTEBOOKS)
def test_prose_reads_as_in_jupyter(pages: dict[str, str], id: str) -> None:
    """Jupyter reads CommonMark, MkDocs another dialect."""
    there = as_jupyter("\n\n".join(prose(read(id))))
    html = re.sub(r"(?s)<pre.*?</pre>", "", article(pages[f"notebooks/{id}/"]))
    here = Counter(tag.name for tag in Parsed(html).tags)
    for name in ("li", "table", "blockquote", "em", "strong", "h1", "h2", "h3"):
        assert here[name] == there[name], name
    assert html.count('class="arithmatex"') == there["math"]
    assert "$" not in html


def prose(notebook: NotebookNode) -> Iterator[str]:
    """All that is Markdown, whether written or put out by code."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield cell.source
        for output in cell.get("outputs", []):
            yield output.get("data", {}).get("text/markdown", "")


def _alone(formula: re.Match[str]) -> str:
    return f"\n\n{' '.join(formula[0].split())}\n\n"


def as_jupyter(markdown: str) -> Counter[str]:
    parser = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)
    counts: Counter[str] = Counter()
    # Jupyter sets mathematics aside before it looks for lists and emphasis.
    markdown = re.sub(r"(?s)\$\$.+?\$\$", _alone, markdown)
    for token in parser.parse(markdown):
        for part in (token, *(token.children or ())):
            if part.type.startswith("math"):
                counts["math"] += 1
            elif part.nesting >= 0 and part.tag:
                counts[part.tag] += 1
    return counts
