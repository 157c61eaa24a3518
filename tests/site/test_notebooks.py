"""The notebook pages of the built site."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from html import unescape
from itertools import pairwise

import nbformat
import pytest
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode
from playwright.sync_api import expect

from scripts.base.project import ROOT, read_project
from scripts.catalogue import Catalogue
from tests.site.conftest import Built
from tests.site.test_build import article
from tests.support.html import Parsed
from tests.support.visit import DESKTOP, PHONE, Visit

PROJECT = read_project()
NOTEBOOKS = sorted(path.stem for path in (ROOT / "docs/notebooks").glob("*.ipynb"))
# NICE's is the shortest; kilobytes of HTML, plain and compressed, of eleven notebooks,
# with a line for each page of the site in its menu.
LIMITS = {"nice": (90.2, 22.1)}
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
def test_a_page_begins_with_what_to_do_with_it(
    pages: dict[str, str], catalogue: Catalogue, id: str
) -> None:
    [paper] = [paper for paper in catalogue.publications if paper.id == id]
    links = soup_of(pages, id).select("h1 + .actions a")
    assert {link.text: link["href"] for link in links} == {
        "Run in Colab": PROJECT.colab(f"docs/notebooks/{id}.ipynb"),
        "Download": f"../{id}.ipynb",
        "Source": PROJECT.blob(f"implementations/{id}.py"),
        "Paper": paper.url,
    }


def soup_of(pages: dict[str, str], id: str) -> BeautifulSoup:
    return BeautifulSoup(article(pages[f"notebooks/{id}/"]), "html.parser")


@pytest.mark.parametrize("id", NOTEBOOKS)
def test_a_page_says_how_many_checks_hold(pages: dict[str, str], id: str) -> None:
    results = ROOT / "implementations" / "results" / f"{id}.json"
    number = len(json.loads(results.read_text())["claims"])
    chips = [chip.text for chip in soup_of(pages, id).select(".chips li")]
    assert chips[0] == f"✓ {number} checks hold"
    assert re.fullmatch(r"(\d+ min)? ?(\d+ s)? on a CPU", chips[1])


@pytest.mark.parametrize("id", NOTEBOOKS)
def test_claims_are_rows_of_a_table(pages: dict[str, str], id: str) -> None:
    rows = soup_of(pages, id).select("table.claims tbody tr")
    shown = [[cell.text for cell in row.select("td")] for row in rows]
    claims = [*map(CLAIM.match, filter(is_claim, prose(read(id))))]
    assert [row[1:] for row in shown] == [
        [claim["bound"], claim["number"], "✓"] for claim in claims if claim
    ]
    assert len(shown) == len(claims) >= 3


CLAIM = re.compile(r"> ✓ .*?\*\*(?P<number>.*?)\*\*.* \(claimed: (?P<bound>.*)\)")


def is_claim(markdown: str) -> bool:
    return markdown.startswith("> ✓")


def test_the_commands_of_a_page_are_there(pages: dict[str, str]) -> None:
    """They are what a fresh clone can do: make has the target and what it needs."""
    commands = soup_of(pages, "nice").select(".fold code")[0].text
    [target] = re.findall(r"make (notebooks ONLY=nice FORCE=1)", commands)
    dry = subprocess.run(
        ["make", "--dry-run", "--always-make", *target.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert dry.returncode == 0, dry.stderr
    assert "-m venv .venv" in dry.stdout
    assert '-m scripts notebooks --only "nice" --force' in dry.stdout
    assert PROJECT.repo_url in commands
    assert (ROOT / re.findall(r"jupyter lab (\S+)", commands)[0]).is_file()


@pytest.mark.thorough
def test_colab_heads_the_contents_and_stays_at_the_foot_of_a_phone(
    visit: Visit,
) -> None:
    address = PROJECT.colab("docs/notebooks/nice.ipynb")
    visit.page.set_viewport_size(DESKTOP)
    page = visit.open("notebooks/nice/")
    contents = page.locator(".md-sidebar--secondary")
    run = contents.get_by_role("link", name="Run in Colab")
    expect(run).to_have_attribute("href", address)
    expect(run).to_be_in_viewport()
    bar = page.locator(".run-bar a")
    expect(bar).not_to_be_visible()
    page.set_viewport_size(PHONE)
    expect(bar).to_have_attribute("href", address)
    for heading in page.locator("article h2").all()[:3]:
        heading.scroll_into_view_if_needed()
        expect(bar).to_be_in_viewport(ratio=1)


@pytest.mark.sampled
@pytest.mark.parametrize("path", ["nice", "nsf", "flows_review"])
def test_claims_are_whole_on_a_phone(visit: Visit, path: str) -> None:
    visit.page.set_viewport_size(PHONE)
    page = visit.open(f"notebooks/{path}/")
    for table in page.locator("table.claims").all():
        box = table.bounding_box()
        assert box and 0 <= box["x"] and box["x"] + box["width"] <= PHONE["width"]
        assert table.evaluate("table => table.scrollWidth <= table.clientWidth")


@pytest.mark.thorough
def test_the_chip_leads_to_the_claims(visit: Visit) -> None:
    page = visit.open("notebooks/nice/")
    page.get_by_role("link", name=re.compile(r"\d+ checks hold")).click()
    expect(page.locator("table.claims").first).to_be_in_viewport()


@pytest.mark.parametrize("id", NOTEBOOKS)
def test_the_key_figure_stands_before_all_code(pages: dict[str, str], id: str) -> None:
    html = article(pages[f"notebooks/{id}/"])
    key = "Show the code of the first figure"
    assert html.index("<figure") < html.index("Show the imports") < html.index(key)
    # All code before that of the figure is in a fold of its own.
    before = BeautifulSoup(html[: html.index(key)], "html.parser")
    assert all(code.find_parent("details") for code in before.select("pre"))


def test_the_key_figure_is_in_the_first_screen_of_a_phone(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    page = visit.open("notebooks/nice/")
    expect(page.locator("article figure").first).to_be_in_viewport()
    before = "(figure) => figure.getBoundingClientRect().top"
    code = page.locator("article pre:visible").first
    figure = page.locator("article figure").first
    assert figure.evaluate(before) < code.evaluate(before)


@pytest.mark.thorough
def test_commands_and_stamp_open(visit: Visit) -> None:
    page = visit.open("notebooks/nice/")
    clone = page.get_by_text("git clone")
    stamp = page.get_by_text("Executed on")
    expect(clone).not_to_be_visible()
    expect(stamp).not_to_be_visible()
    page.get_by_text("Run locally").click()
    page.get_by_text("How it ran").click()
    expect(clone).to_be_visible()
    expect(stamp).to_be_visible()


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
    there = as_jupyter("\n\n".join(p for p in prose(read(id)) if not is_claim(p)))
    html = re.sub(r"(?s)<pre.*?</pre>", "", article(pages[f"notebooks/{id}/"]))
    html = OURS.sub("", html)
    here = Counter(tag.name for tag in Parsed(html).tags)
    for name in ("li", "table", "blockquote", "em", "strong", "h1", "h2", "h3"):
        assert here[name] == there[name], name
    assert html.count('class="arithmatex"') == there["math"]
    assert "$" not in html


# What the page adds, and the claims, which Jupyter shows as quotations.
OURS = re.compile(r'(?s)<table class="claims".*?</table>|<ul class="chips">.*?</ul>')


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
