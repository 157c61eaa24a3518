"""Everybody can use every kind of page, as far as machines can tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from tests.support.kinds import KINDS
from tests.support.visit import DESKTOP, PHONE, Visit

# WCAG 2.2, levels A and AA, with what earlier versions ask.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OF_ALL = {"runOnly": TAGS, "rules": {"color-contrast": {"enabled": False}}}
OF_CONTRAST = {"runOnly": ["color-contrast"]}
RUN = """async ([context, options]) => {
  const only = { resultTypes: ["violations"], ...options }
  return (await axe.run(context, only)).violations
}"""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# What is folded, and what is drawn only when it is scrolled to.
UNFOLD = """
for (const details of document.querySelectorAll("details")) details.open = true
for (const entry of document.querySelectorAll(".entry"))
  entry.style.contentVisibility = "visible"
"""


# Marks words that look like others before them, from the same kind of element down:
# their contrast is the same, and it takes axe longer than all else together.
MARK_ALIKE = """() => {
  const seen = new Set()
  for (const element of document.querySelectorAll("body *")) {
    element.removeAttribute("data-alike")
    if (element.childElementCount || !element.checkVisibility()) continue
    const { color, fontSize, fontWeight } = getComputedStyle(element)
    const look = [color, fontSize, fontWeight]
    for (let each = element; each; each = each.parentElement) {
      const { backgroundColor, backgroundImage, opacity } = getComputedStyle(each)
      look.push(each.tagName, each.getAttribute("class"))
      look.push(backgroundColor, backgroundImage, opacity)
    }
    element.toggleAttribute("data-alike", seen.has(look.join()))
    seen.add(look.join())
  }
}"""


def violations(page: Page) -> Iterator[str]:
    """Say what axe finds, and where."""
    page.evaluate(MARK_ALIKE)
    unlike = {"exclude": [["[data-alike]"]]}
    found = page.evaluate(RUN, [{"include": [["html"]]}, OF_ALL])
    found += page.evaluate(RUN, [unlike, OF_CONTRAST])
    for violation in found:
        for node in violation["nodes"]:
            yield f"{violation['id']}: {node['html']}\n{node['failureSummary']}"


def in_every_look(page: Page) -> Iterator[str]:
    """Say what axe finds on a phone and on a desk, light and dark."""
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            for violation in violations(page):
                yield f"{scheme}, {size['width']} pixels: {violation}"


def open_calmly(visit: Visit, path: str) -> Page:
    # Colours that fade into one another are measured on the way.
    visit.page.emulate_media(reduced_motion="reduce")
    page = visit.open(path)
    page.wait_for_load_state("networkidle")
    page.evaluate(UNFOLD)
    page.evaluate(AXE_SCRIPT)
    return page


@pytest.mark.sampled
@pytest.mark.parametrize("path", KINDS.values(), ids=KINDS)
def test_nothing_stands_in_the_way(visit: Visit, path: str) -> None:
    assert [*in_every_look(open_calmly(visit, path))] == []


@pytest.mark.thorough
def test_axe_finds_what_does_stand_in_the_way(visit: Visit) -> None:
    page = open_calmly(visit, KINDS["notebook"])
    page.evaluate("document.querySelector('article img').removeAttribute('alt')")
    page.evaluate("document.querySelector('h1').style.color = '#999'")
    found = {violation.partition(":")[0] for violation in violations(page)}
    assert found == {"color-contrast", "image-alt"}


@pytest.mark.sampled
@pytest.mark.parametrize(
    "spoil",
    [
        "cell => { cell.style.color = '#999' }",
        "cell => { cell.style.backgroundColor = '#777' }",
        "cell => { cell.parentElement.style.backgroundColor = '#777' }",
    ],
    ids=["colour", "background", "behind"],
)
def test_axe_finds_the_one_cell_that_looks_another_way(
    visit: Visit, spoil: str
) -> None:
    page = open_calmly(visit, KINDS["compare"])
    # Of one sign alone axe says nothing.
    cells = page.locator("tbody td:not(:has(*))", has_text=re.compile(r"\S{2}"))
    assert cells.count() > 100
    cells.last.evaluate(spoil)
    found = [*violations(page)]
    assert any(violation.startswith("color-contrast: <td") for violation in found)


def search(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("coupling")
    expect(page.locator(".md-search-result__item").first).to_be_visible()


def filter_the_list(page: Page) -> None:
    page.set_viewport_size(DESKTOP)
    page.locator("#browse label", has_text="Videos").click()
    page.get_by_role("searchbox", name="Filter by word").fill("variational")


def find_nothing(page: Page) -> None:
    page.get_by_role("searchbox", name="Filter by word").fill("no such word")


def open_the_sheet(page: Page) -> None:
    page.set_viewport_size(PHONE)
    page.locator(".bar").get_by_role("button", name="Filters").click()
    page.locator("#browse").get_by_label("coupling").check()
    expect(page.get_by_role("dialog", name="Filters")).to_be_visible()


def keep_a_reading_list(page: Page) -> None:
    page.locator(".star").first.click()
    page.get_by_role("link", name="Reading list").click()
    expect(page.get_by_role("button", name="BibTeX")).to_be_visible()
    page.evaluate(AXE_SCRIPT)


def search_in_vain(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("zzzz")
    expect(page.get_by_role("link", name="Filter the list")).to_be_visible()


def explain_a_word(page: Page) -> None:
    page.locator("a.word").first.focus()
    expect(page.get_by_role("tooltip")).to_be_visible()


def light_a_paper(page: Page) -> None:
    page.locator(".map a").nth(3).focus()
    expect(page.locator(".map .chosen h3")).to_be_visible()


def open_a_figure(page: Page) -> None:
    page.locator("article figure .enlarge").first.click()
    expect(page.locator("dialog")).to_be_visible()


def move_the_point(page: Page) -> None:
    page.locator(".journey canvas").click()
    expect(page.locator("[data-number=total]")).not_to_have_text("–")


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("kind", "act"),
    [
        ("home", search),
        ("home", move_the_point),
        ("list", filter_the_list),
        ("list", find_nothing),
        ("list", open_the_sheet),
        ("list", keep_a_reading_list),
        ("home", search_in_vain),
        ("learn", explain_a_word),
        ("genealogy", light_a_paper),
        ("notebook", open_a_figure),
    ],
    ids=[
        *("search", "toy", "filter", "nothing", "sheet", "reading", "in vain"),
        *("word", "kin", "figure"),
    ],
)
def test_nor_does_what_opens(
    visit: Visit, kind: str, act: Callable[[Page], None]
) -> None:
    page = open_calmly(visit, KINDS[kind])
    act(page)
    assert [*in_every_look(page)] == []
