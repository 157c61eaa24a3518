"""The genealogy as a visitor uses it: a map, and a list of the same papers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from scripts.base.project import ROOT
from scripts.papers.genealogy import Genealogy, genealogy
from scripts.site.genealogy_map import draw
from tests.site.conftest import open_tab
from tests.support.kinds import KINDS
from tests.support.many_papers import PAPERS, many_rows
from tests.support.rendering import render_map
from tests.support.visit import DESKTOP, PHONE, Visit

TABLET = {"width": 820, "height": 1180}
# The words of the map, and where they stand.
WORDS = """[...document.querySelectorAll(".map text")].map(each => {
  const { left, top, right, bottom } = each.getBoundingClientRect()
  return [each.textContent, left, top + 2, right, bottom - 2]
})"""
OVERLAPS = """words => words.flatMap((a, k) => words.slice(k + 1)
  .filter(b => a[1] < b[3] && b[1] < a[3] && a[2] < b[4] && b[2] < a[4])
  .map(b => `${a[0]} and ${b[0]}`))"""
LETTERS = """[...document.querySelectorAll(".map text")].map(each =>
  parseFloat(getComputedStyle(each).fontSize) * each.getScreenCTM().a)"""


@pytest.fixture(scope="module")
def kin() -> Genealogy:
    return genealogy(ROOT)


@pytest.fixture
def page(visit: Visit) -> Page:
    visit.page.set_viewport_size(DESKTOP)
    return visit.open(KINDS["genealogy"])


def lit(page: Page, kind: str) -> set[str]:
    cards = page.locator(f".map a.{kind}").all()
    return {card.get_attribute("data-paper") or "" for card in cards}


def ancestors(kin: Genealogy, paper: str) -> set[str]:
    found = {paper}
    for earlier in kin[paper].builds_on:
        found |= ancestors(kin, earlier.paper)
    return found


def descendants(kin: Genealogy, paper: str) -> set[str]:
    return {other for other in kin if paper in ancestors(kin, other)}


def card(page: Page, paper: str) -> Locator:
    return page.locator(f".map a[data-paper={paper}]")


def test_the_map_has_every_paper_and_names_what_is_reused(
    page: Page, kin: Genealogy
) -> None:
    assert lit(page, "before") == set()
    expect(page.locator(".map a")).to_have_count(len(kin))
    ports = card(page, "nice").locator(".port").all_text_contents()
    assert "Coupling" in ports
    pairs = {
        (arc.get_attribute("data-from"), arc.get_attribute("data-to"))
        for arc in page.locator(".map path[data-from]").all()
    }
    assert pairs == {(b.paper, id) for id, each in kin.items() for b in each.builds_on}


@pytest.mark.parametrize("act", [Locator.hover, Locator.focus, Locator.click])
def test_a_paper_lights_its_ancestors_and_descendants(
    page: Page, kin: Genealogy, act: Callable[[Locator], None]
) -> None:
    arc = page.locator(".map path[data-from=nice][data-to=real_nvp]").first
    before = arc.evaluate("path => getComputedStyle(path).stroke")
    act(card(page, "real_nvp"))
    assert lit(page, "before") == ancestors(kin, "real_nvp") > {"real_nvp"}
    assert lit(page, "after") == descendants(kin, "real_nvp") > {"real_nvp"}
    assert arc.evaluate("path => getComputedStyle(path).stroke") != before
    note = page.locator(".map .chosen")
    expect(note).to_contain_text("Builds on NICE (Coupling")
    expect(note).to_be_in_viewport()


def test_what_the_pointer_leaves_goes_out_again(page: Page) -> None:
    card(page, "glow").hover()
    assert lit(page, "before") != set()
    page.mouse.move(0, 0)
    assert lit(page, "before") == set()
    expect(page.locator(".map .chosen")).to_contain_text("Rest on a paper")


def test_a_click_keeps_a_paper_lit_and_names_it_in_the_address(
    visit: Visit, page: Page, kin: Genealogy
) -> None:
    card(page, "maf").click()
    page.mouse.move(0, 0)
    assert urlsplit(page.url).fragment == "maf"
    assert lit(page, "before") == ancestors(kin, "maf")
    page.locator(".map .chosen").get_by_role("link", name="MAF").click()
    page.wait_for_url("**/papers/maf/")
    page = visit.open(f"{KINDS['genealogy']}#maf")
    page.wait_for_function("document.querySelector('.map a.before')")
    assert lit(page, "before") == ancestors(kin, "maf")
    page.keyboard.press("Escape")
    assert lit(page, "before") == set()
    assert urlsplit(page.url).fragment == ""


def test_enter_keeps_a_paper_lit_too(page: Page, kin: Genealogy) -> None:
    card(page, "nsf").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert urlsplit(page.url).fragment == "nsf"


@pytest.fixture
def fingers(browser: Browser, root: str) -> Iterator[Page]:
    """A tablet, on which one taps."""
    page = open_tab(browser, viewport=TABLET, has_touch=True)
    page.goto(root + KINDS["genealogy"])
    yield page
    page.context.close()


def test_a_tap_lights_and_does_not_leave(fingers: Page, kin: Genealogy) -> None:
    card(fingers, "real_nvp").tap()
    assert lit(fingers, "after") == descendants(kin, "real_nvp")
    assert urlsplit(fingers.url).path.endswith("/genealogy/")
    card(fingers, "real_nvp").tap()
    assert lit(fingers, "after") == set()


def test_a_phone_shows_the_list_whole(visit: Visit, kin: Genealogy) -> None:
    visit.page.set_viewport_size(PHONE)
    page = visit.open(KINDS["genealogy"])
    expect(page.locator(".map")).not_to_be_visible()
    rows = page.locator("ol.genealogy > li")
    expect(rows).to_have_count(len(kin))
    cut = """row => [row, ...row.querySelectorAll("*")].some(e =>
      e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline"
      || getComputedStyle(e).overflow === "hidden")"""
    assert [row for row in rows.all() if row.evaluate(cut)] == []


def test_every_row_has_an_address(visit: Visit, kin: Genealogy) -> None:
    visit.page.set_viewport_size(PHONE)
    for paper in kin:
        page = visit.open(f"{KINDS['genealogy']}#{paper}")
        expect(page.locator(f"li#{paper}")).to_be_in_viewport()
        link = page.locator(f"li#{paper} a.headerlink")
        expect(link).to_have_attribute("href", f"#{paper}")


def test_a_row_leads_to_papers(page: Page) -> None:
    row = page.locator("li#nsf")
    row.get_by_role("link", name="NICE").click()
    page.wait_for_url("**/papers/nice/")


def test_without_scripts_a_card_leads_to_its_row(browser: Browser, root: str) -> None:
    page = open_tab(browser, viewport=DESKTOP, java_script_enabled=False)
    page.goto(root + KINDS["genealogy"])
    expect(page.locator(".map .chosen")).not_to_be_visible()
    card(page, "glow").click()
    expect(page.locator("li#glow")).to_be_in_viewport()
    page.context.close()


@pytest.mark.parametrize("width", [820, 1280, 1440])
def test_words_do_not_overlap_and_have_nine_pixels(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    words = page.evaluate(WORDS)
    assert len(words) > 20
    assert page.evaluate(OVERLAPS, words) == []
    assert min(page.evaluate(LETTERS)) >= 9


def test_of_fifty_papers_no_words_overlap(page: Page) -> None:
    drawn = draw(many_rows())
    assert drawn
    page.evaluate(
        "html => { document.querySelector('.map').outerHTML = html }", render_map(drawn)
    )
    words = page.evaluate(WORDS)
    assert len(words) > 2 * PAPERS
    assert page.evaluate(OVERLAPS, words) == []
    assert min(page.evaluate(LETTERS)) >= 9
    outside = """() => [...document.querySelectorAll(".map a")].filter(card => {
      const box = card.querySelector("rect").getBoundingClientRect()
      return [...card.querySelectorAll("text")].some(text => {
        const words = text.getBoundingClientRect()
        return words.left < box.left || words.right > box.right
            || words.top < box.top || words.bottom > box.bottom
      })
    }).map(card => card.textContent)"""
    assert page.evaluate(outside) == []


def test_the_map_is_printed(page: Page) -> None:
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 1000})
    expect(page.locator(".map svg")).to_be_visible()
    expect(page.locator(".map .chosen")).not_to_be_visible()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 700
