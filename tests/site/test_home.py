"""The home page: first screen, moving picture, ways in, numbers, news, weight."""

from __future__ import annotations

import gzip
import json
import re
import time

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Locator, Page, Response, expect

from scripts.base.project import ROOT, read_project
from scripts.catalogue import Catalogue
from scripts.site.pages import NEWEST, SHOWN
from tests.support.html import Parsed
from tests.support.visit import PHONE, Visit

PROJECT = read_project()


def output(page: Page) -> Locator:
    return page.locator(".journey output")


def picture(page: Page) -> str:
    """The picture, as text."""
    return page.locator(".journey canvas").evaluate("canvas => canvas.toDataURL()")


def at_rest(visit: Visit) -> Page:
    visit.page.emulate_media(reduced_motion="reduce")
    page = visit.open("")
    expect(output(page)).to_have_text("the data")
    return page


@pytest.mark.thorough
def test_the_picture_plays_once_in_less_than_five_seconds(visit: Visit) -> None:
    page = visit.open("")
    expect(output(page)).to_have_text("layer 1 of 6")
    began, first = time.monotonic(), picture(page)
    expect(output(page)).to_have_text("the data")
    assert time.monotonic() - began < 5
    last = picture(page)
    assert last != first
    expect(page.get_by_role("button", name="Replay")).to_be_visible()
    page.wait_for_timeout(300)
    assert picture(page) == last
    page.get_by_role("button", name="Replay").click()
    expect(output(page)).to_have_text("layer 2 of 6")


def test_the_picture_pauses_and_is_moved_by_keyboard(visit: Visit) -> None:
    page = visit.open("")
    button = page.get_by_role("button", name="Pause")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Play")).to_be_focused()
    paused = picture(page)
    page.wait_for_timeout(300)
    assert picture(page) == paused
    page.keyboard.press("Tab")
    slider = page.get_by_role("slider", name="How far the points have flowed")
    expect(slider).to_be_focused()
    page.keyboard.press("Home")
    expect(output(page)).to_have_text("the base")
    page.keyboard.press("End")
    expect(output(page)).to_have_text("the data")
    expect(slider).to_have_attribute("aria-valuetext", "the data")


def test_the_picture_rests_where_motion_is_unwelcome(visit: Visit) -> None:
    page = at_rest(visit)
    still = picture(page)
    page.wait_for_timeout(500)
    assert picture(page) == still
    page.get_by_role("button", name="Replay").click()
    expect(output(page)).to_have_text("layer 1 of 6")


@pytest.mark.thorough
def test_the_picture_waits_until_it_is_seen(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 300})
    page = visit.open("")
    page.wait_for_load_state("networkidle")
    expect(output(page)).to_have_text("the base")
    page.locator(".journey canvas").scroll_into_view_if_needed()
    expect(output(page)).not_to_have_text("the base")


@pytest.mark.thorough
def test_the_picture_follows_the_theme(visit: Visit) -> None:
    visit.page.emulate_media(color_scheme="light")
    page = at_rest(visit)
    light = picture(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "before => document.querySelector('canvas').toDataURL() !== before", arg=light
    )


def test_a_still_picture_stands_in_where_scripts_do_not_run(
    root: str, without_scripts: Page
) -> None:
    page = without_scripts
    page.goto(root)
    still = page.get_by_role("img", name="Two thousand points")
    expect(still).to_have_count(1)
    expect(still).to_be_visible()
    assert still.evaluate("image => image.naturalWidth") > 0
    expect(page.get_by_role("button", name="Play")).not_to_be_visible()


FIRST = ("h1", ".numbers", ".actions", ".journey .square", ".journey .player")


def test_a_phone_shows_what_the_site_is_in_its_first_screen(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    page = at_rest(visit)
    tops = []
    for part in FIRST:
        expect(page.locator(part)).to_be_in_viewport(ratio=1)
        box = page.locator(part).bounding_box()
        assert box
        tops.append(box["y"])
    assert tops == sorted(tops)
    definition = page.locator(".definition").bounding_box()
    assert definition and definition["y"] > tops[-1]


def test_the_title_says_what_the_site_is(visit: Visit) -> None:
    title = visit.open("").get_by_role("heading", level=1)
    expect(title).to_contain_text("Normalizing flows: read the paper, run the code")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("Start learning", "learn/"),
        (r"^\d+ entries$", "list/"),
        (r"^\d+ papers that run$", "notebooks/"),
        (r"^All \d+ notebooks$", "notebooks/"),
        ("NICE", "notebooks/nice/"),
    ],
)
def test_ways_lead_in(visit: Visit, name: str, path: str) -> None:
    page = visit.open("")
    links = page.locator("article").get_by_role("link", name=re.compile(name))
    links.first.click()
    expect(page).to_have_url(visit.root + path)


def test_a_flow_opens_in_colab(visit: Visit) -> None:
    link = visit.open("").get_by_role("link", name="Run a flow in Colab")
    expect(link).to_have_attribute("href", PROJECT.colab("docs/notebooks/nice.ipynb"))


@pytest.mark.published
def test_the_line_of_numbers_counts(
    pages: dict[str, str], catalogue: Catalogue
) -> None:
    soup = BeautifulSoup(pages[""], "html.parser")
    line = soup.select_one(".numbers")
    results = (ROOT / "implementations" / "results").glob("*.json")
    checks = sum(len(json.loads(file.read_text())["claims"]) for file in results)
    entries = len([*catalogue.entries])
    papers = sum(paper.implemented for paper in catalogue.publications)
    assert line and line.text == (
        f"{entries} entries · {papers} papers that run · {checks} checks hold"
    )


@pytest.mark.thorough
def test_papers_of_many_families_are_shown_by_their_pictures(visit: Visit) -> None:
    page = visit.open("")
    works = page.locator("article.work")
    expect(works).to_have_count(SHOWN)
    families = works.locator(".family").all_inner_texts()
    assert len({*families}) == SHOWN
    for picture in works.locator("img").all():
        picture.scroll_into_view_if_needed()
        page.wait_for_function("image => image.complete", arg=picture.element_handle())
        assert picture.evaluate("image => image.naturalWidth") > 0


@pytest.mark.published
def test_the_numbers_are_those_of_the_list(
    pages: dict[str, str], catalogue: Catalogue
) -> None:
    home = pages[""].partition('class="coverage"')[2].partition("</dl>")[0]
    words = Parsed(home).text.replace("\n", "")
    implemented = sum(paper.implemented for paper in catalogue.publications)
    expected = {
        "Publications": str(implemented),
        "Videos": str(len(catalogue.videos)),
        "Posts and courses": str(len(catalogue.blogs)),
        "Code": str(len(catalogue.code)),
        "Papers with a notebook": f"{implemented} of {len(catalogue.publications)}",
    }
    for label, number in expected.items():
        assert f"{label}{number}" in words


def test_what_joined_last_is_shown_with_its_note(
    visit: Visit, catalogue: Catalogue
) -> None:
    page = visit.open("")
    shown = page.locator(".new > article")
    newest = sorted(catalogue.entries, key=lambda e: (e.added, e.date), reverse=True)
    titles = shown.locator("h3").all_inner_texts()
    assert titles == [entry.title for entry in newest[:NEWEST]]
    for item, entry in zip(shown.all(), newest, strict=False):
        expect(item).to_contain_text(" ".join(entry.note.split()[:4]))


def test_the_first_view_weighs_at_most_200_kb(first_visit: Visit) -> None:
    answers: list[Response] = []
    first_visit.page.on("response", lambda answer: answers.append(answer))
    page = first_visit.open("")
    expect(output(page)).not_to_have_text("the base")
    page.wait_for_load_state("networkidle")
    weights = {a.url: min(len(gzip.compress(a.body())), len(a.body())) for a in answers}
    assert any("journey.json" in url for url in weights)
    assert sum(weights.values()) <= 200_000, weights
