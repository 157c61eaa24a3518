"""The rows of the list that we publish, its sheet on a phone, and the reading list."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pybtex.database import parse_string

from scripts.catalogue import Catalogue
from scripts.site.facets import facets
from tests.support.visit import PHONE, Visit

TALLEST = 150
HEIGHTS = "rows => rows.map(row => row.getBoundingClientRect().height)"
DRAW_ALL = """
for (const row of document.querySelectorAll(".row"))
  row.style.contentVisibility = "visible"
"""


def open_list(visit: Visit, query: str = "", width: int = 1440) -> Page:
    visit.page.set_viewport_size({"width": width, "height": 900})
    return visit.open(f"list/{query}")


@pytest.mark.sampled
@pytest.mark.parametrize("width", [820, 1280, 1440])
def test_rows_are_dense(visit: Visit, width: int) -> None:
    page = open_list(visit, width=width)
    page.evaluate(DRAW_ALL)
    heights = page.locator(".row").evaluate_all(HEIGHTS)
    assert 60 < min(heights) and max(heights) <= TALLEST


def test_full_notes_are_whole(visit: Visit) -> None:
    page = open_list(visit)
    page.evaluate(DRAW_ALL)
    cut = "notes => notes.filter(n => n.scrollHeight > n.clientHeight + 1).length"
    notes = page.locator(".row .note")
    assert notes.evaluate_all(cut) > 10
    page.get_by_text("Full notes").click()
    assert notes.evaluate_all(cut) == 0
    page.get_by_text("Full notes").click()
    assert notes.evaluate_all(cut) > 10


def test_what_runs_has_its_picture_and_a_button(
    visit: Visit, catalogue: Catalogue
) -> None:
    page = open_list(visit, "?kind=publication")
    running = [p for p in catalogue.publications if p.implemented]
    expect(page.locator(".row:visible")).to_have_count(len(running))
    expect(page.locator(".row:visible .thumb img")).to_have_count(len(running))
    run = page.locator(".row:has(#nice)").get_by_role("link", name="Run")
    expect(run).to_have_attribute("href", re.compile("colab.*/nice.ipynb"))
    colours = "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]"
    background, text = run.evaluate(colours)
    assert background not in (text, "rgba(0, 0, 0, 0)")
    image = page.locator(".row:has(#nice) img")
    image.scroll_into_view_if_needed()
    expect(image).to_have_js_property("complete", True)
    assert image.evaluate("image => image.naturalWidth") > 0


def test_the_bar_stays_in_sight(visit: Visit) -> None:
    page = open_list(visit)
    page.evaluate("scrollTo(0, 5000)")
    expect(page.get_by_role("searchbox", name="Filter by word")).to_be_in_viewport()
    page.get_by_role("searchbox", name="Filter by word").fill("glow")
    # What is found is shown from its beginning.
    expect(page.locator(".row:visible").first).to_be_in_viewport()
    top = page.locator(".row:visible h3").first.bounding_box()
    bar = page.locator(".bar").bounding_box()
    assert top and bar and top["y"] >= bar["y"] + bar["height"]


def test_the_commonest_values_are_in_sight_and_all_are_there(
    visit: Visit, catalogue: Catalogue
) -> None:
    page = open_list(visit)
    family = next(f for f in facets(catalogue) if f.label == "Family")
    fields = page.get_by_role("group", name="Family")
    expect(fields.locator("label:visible")).to_have_text(
        [f"{value.label} {value.number}" for value in family.first]
    )
    assert len(family.first) < len(family.values)
    fields.get_by_text(f"All {len(family.values)}").click()
    expect(fields.locator("label:visible")).to_have_count(len(family.values))


def test_a_phone_shows_the_first_entry_at_once(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    page = visit.open("list/")
    row = page.locator(".row").first
    expect(row.locator("h3")).to_be_in_viewport()
    expect(row.locator(".note")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_phone_has_its_filters_in_a_sheet(visit: Visit, catalogue: Catalogue) -> None:
    visit.page.set_viewport_size(PHONE)
    page = visit.open("list/")
    sheet = page.get_by_role("dialog", name="Filters")
    expect(sheet).not_to_be_visible()
    page.locator(".bar").get_by_role("button", name="Filters").click()
    sheet.get_by_label("Videos").check()
    sheet.get_by_label("introduction").check()
    found = [e for e in catalogue.videos if "introduction" in e.tags]
    done = sheet.get_by_role("button", name=f"Show {len(found)}", exact=True)
    expect(done).to_be_in_viewport()
    done.click()
    expect(sheet).not_to_be_visible()
    expect(page.get_by_role("button", name="Filters (2)")).to_be_visible()
    expect(page.locator(".row:visible")).to_have_count(len(found))
    expect(page.locator(".row:visible").first).to_be_in_viewport()


def test_a_sheet_is_left_by_escape_or_a_tap_beside_it(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    page = visit.open("list/")
    sheet = page.get_by_role("dialog", name="Filters")
    for leave in (
        lambda: page.keyboard.press("Escape"),
        lambda: page.mouse.click(200, 20),
    ):
        page.locator(".bar").get_by_role("button", name="Filters").click()
        expect(sheet).to_be_visible()
        leave()
        expect(sheet).not_to_be_visible()


def star(page: Page, id: str) -> None:
    page.locator(f".row:has(#{id}) .star").click()


def test_starred_entries_are_a_list_that_is_kept(visit: Visit) -> None:
    page = open_list(visit)
    star(page, "nice")
    star(page, "nsf")
    star(page, "glow")
    star(page, "glow")
    page.reload()
    pressed = page.locator('.star[aria-pressed="true"]')
    expect(pressed).to_have_count(2)
    page.get_by_role("link", name="Reading list (2)").click()
    expect(page.locator(".row:visible h3")).to_have_count(2)
    page.get_by_role("button", name="Remove the filter Reading list").click()
    assert page.locator(".row:visible").count() > 10
    expect(page.get_by_role("button", name="BibTeX")).not_to_be_visible()


@pytest.mark.thorough
def test_a_reading_list_is_had_as_bibtex(visit: Visit, catalogue: Catalogue) -> None:
    page = open_list(visit)
    video = catalogue.videos[0].id
    for id in ("nice", "nsf", video):
        star(page, id)
    page.get_by_role("link", name="Reading list (3)").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="BibTeX").click()
    assert download.value.suggested_filename == "reading-list.bib"
    text = Path(download.value.path()).read_text("utf-8")
    assert {*parse_string(text, "bibtex").entries} == {"nice", "nsf"}
    expect(page.locator(".reading-list")).to_contain_text("2 of the 3 entries")


@pytest.mark.thorough
def test_a_reading_list_is_shared_by_its_link(visit: Visit) -> None:
    page = open_list(visit)
    star(page, "nice")
    star(page, "nsf")
    page.get_by_role("link", name="Reading list (2)").click()
    expect(page.get_by_role("button", name="Add all")).not_to_be_visible()
    link = page.get_by_role("button", name="Copy link")
    expect(link).to_have_attribute("data-clipboard-text", re.compile("ids="))
    address = link.get_attribute("data-clipboard-text")
    assert address
    page.evaluate("localStorage.clear()")
    page.goto("about:blank")
    page.goto(address)
    expect(page.locator(".row:visible h3")).to_have_count(2)
    expect(page.locator('.star[aria-pressed="true"]')).to_have_count(0)
    page.get_by_role("button", name="Add all").click()
    expect(page.get_by_role("link", name="Reading list (2)")).to_be_visible()


@pytest.mark.thorough
def test_an_empty_reading_list_says_how_to_begin_one(visit: Visit) -> None:
    page = open_list(visit)
    page.get_by_role("link", name="Reading list (0)").click()
    expect(page.get_by_text("Press the star")).to_be_visible()
    expect(page.get_by_role("button", name="BibTeX")).not_to_be_visible()
    star(page, "nice")
    expect(page.get_by_role("link", name="Reading list (1)")).to_be_visible()


@pytest.mark.sampled
@pytest.mark.parametrize("stored", ["nonsense", '{"a": 1}', "7", '["none", 3, null]'])
def test_what_is_kept_may_be_nonsense(visit: Visit, stored: str) -> None:
    page = open_list(visit)
    key = "awesome-normalizing-flows.reading"
    page.evaluate("([key, text]) => localStorage.setItem(key, text)", [key, stored])
    page.reload()
    expect(page.get_by_role("link", name="Reading list (0)")).to_be_visible()
