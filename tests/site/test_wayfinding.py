"""Where a page is, what is beside it, and the frame that all pages share."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import Page, expect

from scripts.base.project import read_project
from scripts.catalogue import Catalogue
from tests.support.kinds import KINDS
from tests.support.visit import DESKTOP, PHONE, Visit

PROJECT = read_project()


def links(html: str, select: str) -> dict[str, str]:
    """Text → address of the links of one part of the page."""
    part = BeautifulSoup(html, "html.parser").select_one(select)
    return {a.get_text(): str(a["href"]) for a in part.select("a")} if part else {}


@pytest.mark.thorough
@pytest.mark.published
def test_a_paper_has_a_way_back_to_its_part_of_the_list(
    pages: dict[str, str], catalogue: Catalogue
) -> None:
    for paper in catalogue.publications:
        way = links(pages[f"papers/{paper.id}/"], ".md-path")
        assert way == {
            "Home": "../..",
            "The list": "../../list/",
            paper.shelf.heading: f"../../list/?kind={paper.shelf.kind}",
        }


@pytest.mark.thorough
@pytest.mark.published
def test_a_paper_and_its_notebook_are_one_work(
    pages: dict[str, str], catalogue: Catalogue
) -> None:
    for paper in catalogue.publications:
        overview = pages[f"papers/{paper.id}/"]
        if not paper.implemented:
            assert not links(overview, ".beside"), paper.id
            continue
        notebook = pages[f"notebooks/{paper.id}/"]
        for html in (overview, notebook):
            beside = links(html, ".beside")
            assert [*beside] == ["Overview", "Notebook", "Source"]
            assert beside["Source"] == PROJECT.blob(f"implementations/{paper.id}.py")
        names = {name(html) for html in (overview, notebook)}
        assert len(names) == 1
        assert title(notebook) == f"{names.pop()} - {PROJECT.name}"
        assert here(overview) == "Overview" and here(notebook) == "Notebook"


def part(html: str, select: str) -> Tag:
    found = BeautifulSoup(html, "html.parser").select_one(select)
    assert found, select
    return found


def name(html: str) -> str:
    return part(html, ".beside strong").get_text()


def title(html: str) -> str:
    return part(html, "title").get_text()


def here(html: str) -> str:
    return part(html, ".beside [aria-current=page]").get_text()


@pytest.mark.thorough
def test_pages_of_a_work_lead_to_each_other(visit: Visit) -> None:
    page = visit.open("papers/nice/")
    beside = page.get_by_role("navigation", name="NICE")
    beside.get_by_role("link", name="Notebook").click()
    page.wait_for_url("**/notebooks/nice/")
    beside.get_by_role("link", name="Overview").click()
    page.wait_for_url("**/papers/nice/")


@pytest.mark.parametrize(
    ("section", "paths"),
    [("Learn", ["learn/", "glossary/", "notation/"]), ("Compare", ["compare/"])],
)
def test_a_section_shows_its_pages(
    pages: dict[str, str], section: str, paths: list[str]
) -> None:
    shown = links(pages[paths[0]], f'.beside[aria-label="{section}"]')
    for path in paths:
        assert [*links(pages[path], ".beside")] == [*shown]
        assert here(pages[path]) in shown
    assert len(shown) > 1


@pytest.mark.sampled
@pytest.mark.parametrize("path", ["list/", "notebooks/nice/", "compare/"])
def test_tabs_and_header_stick(visit: Visit, path: str) -> None:
    visit.page.set_viewport_size(DESKTOP)
    page = visit.open(path)
    page.evaluate("scrollTo(0, 2000)")
    expect(page.locator(".md-tabs")).to_be_in_viewport()
    expect(page.locator(".md-tabs").get_by_role("link", name="Learn")).to_be_visible()


def test_home_says_the_name_of_the_site_when_scrolled(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    page = visit.open("")
    page.evaluate("scrollTo(0, 600)")
    page.wait_for_timeout(300)
    shown = page.locator(".md-header__topic:visible")
    expect(shown).to_have_text([PROJECT.name])
    assert shown.evaluate("e => getComputedStyle(e).opacity") == "1"
    page = visit.open("list/")
    page.evaluate("scrollTo(0, 600)")
    expect(page.locator(".md-header__title--active")).to_have_count(1)


EDGES = """() => ["header .md-source__repository", "article"].map(
  select => document.querySelector(select).getBoundingClientRect().right)"""


def test_the_label_of_the_repository_ends_where_text_does(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 1440, "height": 900})
    label, text = visit.open("").evaluate(EDGES)
    assert abs(label - text) <= 1


@pytest.mark.sampled
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("by", ["click", "Enter"])
def test_each_switch_of_colours_is_seen(visit: Visit, scheme: str, by: str) -> None:
    looks = {"light": "default", "dark": "slate"}
    visit.page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    page = visit.open("")
    look = page.locator("body")
    expect(look).to_have_attribute("data-md-color-scheme", looks.pop(scheme))
    [other] = looks
    switch(page, other, by)
    expect(look).to_have_attribute("data-md-color-scheme", looks[other])
    page = visit.open("list/")
    expect(look).to_have_attribute("data-md-color-scheme", looks[other])
    switch(page, scheme, by)
    # Back to what the system says, whatever it says next.
    visit.page.emulate_media(color_scheme="dark" if scheme == "light" else "light")
    expect(look).to_have_attribute("data-md-color-scheme", looks[other])


def switch(page: Page, to: str, by: str) -> None:
    if by == "click":
        page.get_by_title(f"Switch to {to} mode").locator("visible=true").click()
    else:
        shown = "input:has(+ label:not([hidden]))"
        page.locator(f"[data-md-component=palette] {shown}").focus()
        page.keyboard.press("Enter")


def test_a_missing_page_has_no_empty_sidebar(visit: Visit) -> None:
    visit.page.set_viewport_size(DESKTOP)
    page = visit.open(KINDS["missing"])
    expect(page.locator(".md-sidebar:visible")).to_have_count(0)
    visit.page.set_viewport_size(PHONE)
    page.locator("header label[for=__drawer]").click()
    menu = page.locator(".md-nav--primary")
    expect(menu.get_by_role("link", name="The list", exact=True)).to_be_visible()


@pytest.mark.sampled
@pytest.mark.parametrize("path", ["", "papers/nice/", "no-such-page/"])
def test_the_footer_leads_to_list_data_and_how_to_contribute(
    visit: Visit, path: str
) -> None:
    page = visit.open(path)
    footer = page.get_by_role("contentinfo")
    for words, address in {
        "All entries": f"{visit.root}list/",
        "BibTeX": f"{visit.root}catalogue.bib",
        "Add an entry": PROJECT.blob("CONTRIBUTING.md"),
    }.items():
        link = footer.get_by_role("link", name=words)
        assert link.evaluate("a => a.href") == address


# Of each paragraph and list that stands by itself, in rem.
WIDTHS = """() => {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize)
  const text = document.querySelectorAll("article > :is(p, ul:not([class]), dl)")
  return [...text].map(e => e.getBoundingClientRect().width / rem)
}"""


@pytest.mark.sampled
@pytest.mark.parametrize("path", ["compare/", "papers/maf/", "exports/", "notation/"])
def test_text_is_36_rem_wide_at_most(visit: Visit, path: str) -> None:
    visit.page.set_viewport_size({"width": 1440, "height": 900})
    widths = visit.open(path).evaluate(WIDTHS)
    assert widths and max(widths) <= 36.01


def test_before_and_after_stay_within_a_section(pages: dict[str, str]) -> None:
    pattern = r'href="([^"]*)" class="md-footer__link'
    assert re.findall(pattern, pages["list/"]) == []
    assert re.findall(pattern, pages["glossary/"]) == ["../learn/", "../notation/"]


# A4 without its margins, in CSS pixels.
PAPER = {"width": 718, "height": 1000}
CUT = """() => [...document.querySelectorAll("article table")]
  .filter(table => table.checkVisibility())
  .filter(table => {
    const right = table.getBoundingClientRect().right
    return right > innerWidth + 1 || table.scrollWidth > table.clientWidth + 1
  }).map(table => table.outerHTML.slice(0, 200))"""


@pytest.mark.sampled
@pytest.mark.parametrize("path", ["compare/", "exactness/", "papers/maf/", "notation/"])
def test_print_cuts_no_table(visit: Visit, path: str) -> None:
    page = visit.open(path)
    page.set_viewport_size({"width": PAPER["width"], "height": PAPER["height"]})
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.emulate_media(media="print")
    assert page.locator("article table:visible").count() > 0
    assert page.evaluate(CUT) == []
    for table in page.locator("table.sortable").all():
        assert (
            table.locator("thead th:visible").count()
            == table.locator("thead th").count()
        )


@pytest.mark.thorough
def test_print_shows_what_was_unfolded_and_no_more(visit: Visit) -> None:
    page = visit.open("notebooks/nice/")
    folds = page.locator("article details")
    folds.nth(1).locator("summary").first.click()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("article details[open]").count() == folds.count()
    expect(page.locator("article details:visible")).to_have_count(1)
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    expect(page.locator("article details[open]")).to_have_count(1)
    expect(page.locator("article [data-folded]")).to_have_count(0)
