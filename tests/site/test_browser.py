"""The built site as a visitor sees it, in Chromium."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from scripts.base.project import ROOT, read_project
from tests.support.kinds import KINDS
from tests.support.visit import DESKTOP, PHONE, Visit


@pytest.mark.sampled("path")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", KINDS.values(), ids=KINDS)
def test_pages_load_in_silence_and_from_one_host(
    visit: Visit, path: str, scheme: Literal["light", "dark"]
) -> None:
    visit.page.emulate_media(color_scheme=scheme)
    page = visit.open(path)
    page.wait_for_load_state("networkidle")
    expect(page.locator("h1")).to_have_count(1)
    expected = {"light": "default", "dark": "slate"}[scheme]
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", expected)


def test_mathematics_is_typeset(visit: Visit) -> None:
    page = visit.open("notebooks/nice/")
    formulas = page.locator(".arithmatex")
    assert formulas.count() > 5
    expect(page.locator(".arithmatex .katex")).to_have_count(formulas.count())
    expect(page.locator(".arithmatex .katex-display").first).to_be_visible()
    expect(page.locator(".katex-error")).to_have_count(0)


@pytest.mark.thorough
def test_figures_are_drawn(visit: Visit) -> None:
    page = visit.open("notebooks/nice/")
    figures = page.locator("article img")
    assert figures.count() > 0
    for figure in figures.all():
        figure.scroll_into_view_if_needed()
        page.wait_for_function("image => image.complete", arg=figure.element_handle())
        assert figure.evaluate("image => image.naturalWidth") > 0
    for figure in page.locator("article figure:has(img)").all():
        assert figure.locator("img").first.get_attribute("alt")


SIZES = """[...document.querySelectorAll("article .slices")].map(figure =>
  [...figure.querySelectorAll("img")].map(image => {
    const { left, top, width } = image.getBoundingClientRect();
    return { left, top, scale: width / image.getAttribute("width") };
  }))"""
# Of the letters in a figure: 10 points, where an inch is 100 pixels (core/pictures.py).
LETTERS = 100 * 10 / 72


@pytest.mark.parametrize(("width", "most"), [(360, 2), (1280, 4)])
def test_panels_stand_in_rows_with_letters_of_nine_pixels(
    visit: Visit, width: int, most: int
) -> None:
    visit.page.set_viewport_size({"width": width, "height": 800})
    figures = visit.open("notebooks/nice/").evaluate(SIZES)
    assert max(map(len, figures)) == 4
    for panels in figures:
        in_rows = Counter(round(panel["top"]) for panel in panels)
        assert max(in_rows.values()) <= most
        assert width == 360 or len(in_rows) == 1
        assert all(LETTERS * panel["scale"] >= 9 for panel in panels)


@pytest.mark.thorough
def test_folded_code_opens(visit: Visit) -> None:
    page = visit.open("notebooks/nice/")
    folded = page.locator("details.fold").first
    expect(folded.locator("code")).not_to_be_visible()
    folded.locator("summary").click()
    expect(folded.locator("code")).to_be_visible()


@pytest.mark.thorough
def test_the_notebook_is_downloaded(visit: Visit) -> None:
    page = visit.open(KINDS["notebook"])
    with page.expect_download() as download:
        page.locator("article").get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "nice.ipynb"
    committed = (ROOT / "docs/notebooks/nice.ipynb").read_bytes()
    assert download.value.path().read_bytes() == committed


@pytest.mark.thorough
def test_the_contents_stay_in_sight(visit: Visit) -> None:
    visit.page.set_viewport_size(DESKTOP)
    page = visit.open(KINDS["notebook"])
    contents = page.locator(".md-sidebar--secondary")
    contents.get_by_role("link", name="Digits").click()
    page.wait_for_url("**#digits")
    expect(contents.get_by_role("link", name="The coupling layer")).to_be_in_viewport()
    current = contents.locator(".md-nav__link--active").last
    expect(current).to_have_text("Digits")


@pytest.fixture
def copying(visit: Visit) -> Iterator[Page]:
    """A paper's page, in a browser that may read what was copied."""
    context = visit.page.context
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield visit.open("papers/nice/")
    context.clear_permissions()


@pytest.mark.parametrize(
    ("name", "copied"),
    [
        ("Copy to clipboard", "@misc{nice,"),
        ("Copy BibTeX", "@misc{nice,"),
        ("Copy link", f"{read_project().site_url}papers/nice/"),
    ],
)
def test_citation_and_link_are_copied(copying: Page, name: str, copied: str) -> None:
    button = copying.get_by_role("button", name=name)
    button.focus()
    copying.keyboard.press("Enter")
    expect(copying.locator(".md-dialog")).to_contain_text("Copied")
    found = copying.evaluate("navigator.clipboard.readText()")
    assert found.startswith(copied)
    assert found.count("@misc") <= 1


@pytest.mark.parametrize("path", KINDS.values(), ids=KINDS)
def test_a_phone_scrolls_down_only(visit: Visit, path: str) -> None:
    visit.page.set_viewport_size(PHONE)
    page = visit.open(path)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]


def test_a_phone_shows_the_whole_name(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    name = visit.open("").locator(".md-header__topic").first.locator(".md-ellipsis")
    expect(name).to_be_visible()
    assert name.evaluate("e => e.scrollWidth <= e.clientWidth")
    assert name.evaluate("e => e.getBoundingClientRect().height < 48")


def test_a_phone_has_the_navigation_in_its_drawer(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    page = visit.open("")
    page.locator("header label[for=__drawer]").click()
    page.locator(".md-nav--primary").get_by_role(
        "link", name="The list", exact=True
    ).click()
    page.wait_for_url("**/list/")


@pytest.mark.sampled
@pytest.mark.parametrize("path", ["none/", "papers/none/", "a/b/c/none.html?x=1"])
def test_a_page_that_is_not_there_leads_back(visit: Visit, path: str) -> None:
    page = visit.page
    page.goto(visit.root + path)
    page.keyboard.press("/")
    page.keyboard.type("spline")
    found = page.locator(".md-search-result__item a[href*='notebooks/nsf/']")
    found.first.click()
    page.wait_for_url(f"{visit.root}notebooks/nsf/**")
    page.goto(visit.root + path)
    expect(page.locator("header img")).to_have_js_property("complete", True)
    page.locator("article").get_by_role("link", name="the list").click()
    page.wait_for_url(visit.root + "list/")
    # The browser reports the missing page itself, and it should.
    assert [fault for fault in visit.faults if "404" in fault] == visit.faults
    visit.faults.clear()


@pytest.mark.parametrize("path", ["papers/nice/", "notebooks/nice/"])
def test_a_page_is_printed_as_ink_on_white(visit: Visit, path: str) -> None:
    visit.page.emulate_media(color_scheme="dark", media="print")
    page = visit.open(path)
    for furniture in (".md-header", ".md-footer", ".md-sidebar", ".links"):
        for element in page.locator(furniture).all():
            expect(element).not_to_be_visible()
    colours = page.evaluate(
        """() => [document.body, document.querySelector("article h1")].map(
          (element) => getComputedStyle(element))
          .map((style, k) => (k ? style.color : style.backgroundColor))"""
    )
    assert colours == ["rgb(255, 255, 255)", "rgba(0, 0, 0, 0.87)"]
    expect(page.locator("article figure, article .glance").first).to_be_visible()
