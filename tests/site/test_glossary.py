"""Words are explained where they are read, and nothing else is changed by that."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Locator, Page, expect

from scripts.base.project import ROOT
from scripts.site import glossary
from tests.site.conftest import open_tab
from tests.support.visit import PHONE, Visit

WORDS = glossary.read((ROOT / "docs" / "glossary.md").read_text("utf-8"))
LINK = re.compile(r'<a class="word" href="g/#[\w-]+">([^<]*)</a>')


def marked(html: str) -> str:
    return glossary.mark(html, WORDS, "g/")


def test_the_first_use_is_linked_and_no_other() -> None:
    html = "<p>A coupling layer is a Coupling Layer; so are couplings.</p>"
    link = '<a class="word" href="g/#coupling">coupling layer</a>'
    assert marked(html) == html.replace("coupling layer", link, 1)


def test_the_longer_word_wins_and_parts_of_words_do_not() -> None:
    assert "#affine" in marked("<li>an affine coupling</li>")
    for part in ("splined", "base-2", "database", "semi-latent"):
        assert marked(f"<p>{part}</p>") == f"<p>{part}</p>"


@pytest.mark.parametrize(
    "html",
    [
        "spline",
        "<h2>Splines</h2>",
        "<p><a href='x'>spline</a></p>",
        "<p><code>spline</code></p>",
        '<p><span class="arithmatex">spline</span></p>',
        '<p class="byline">spline</p>',
        "<article><p>spline</p></article>",
        "<table><tr><td><p>spline</p></td></tr></table>",
        "<pre><p>spline</p></pre>",
        "<!-- <p>spline</p> -->",
        "<p title='spline'><img alt='spline'></p>",
    ],
)
def test_what_is_not_prose_stays(html: str) -> None:
    assert marked(html) == html


def test_prose_goes_on_behind_what_is_not() -> None:
    assert "#spline" in marked("<p><code>x</code><br><img src='x'> spline</p>")


PIECES = st.sampled_from(
    [
        *("<p>", "</p>", "<code>", "</code>", "<b>", "</b>", "<br>", "<a href='x'>"),
        *("</a>", "<img alt='a>b'>", "spline", "base", "nats", " ", "&lt;", "&#38;"),
    ]
)


@given(st.lists(PIECES).map("".join))
def test_nothing_but_links_is_added(html: str) -> None:
    assert LINK.sub(r"\1", marked(html)) == html


def test_every_word_is_explained_in_prose_with_its_notebook(
    pages: dict[str, str],
) -> None:
    page = BeautifulSoup(pages["glossary/"], "html.parser")
    headings = page.select("article h2")
    assert {str(heading["id"]) for heading in headings} >= {*WORDS.values()}
    names = [heading.get_text().lower() for heading in headings]
    assert names == sorted(names), "in the order of the alphabet"
    for heading in headings:
        text = heading.find_next_sibling("p")
        assert text and len(text.get_text().split()) > 8, heading["id"]
        assert text.select("a[href*='notebooks/']"), heading["id"]
    for expected in ("base", "elbo", "kl", "universality", "dequantise", "nats"):
        assert expected in WORDS.values()


def test_prose_pages_have_words_and_entries_keep_theirs(pages: dict[str, str]) -> None:
    with_words = {path for path, html in pages.items() if 'class="word"' in html}
    assert {"", "learn/", "notebooks/nice/"} <= with_words
    assert not {path for path in with_words if path.startswith(("papers/", "list/"))}


def word(page: Page) -> Locator:
    return page.locator("a.word", has_text="coupling layer").first


def explanation(page: Page) -> Locator:
    return page.locator("#explanation:visible", has_text="left alone")


def test_a_word_is_explained_on_hover(visit: Visit) -> None:
    page = visit.open("notebooks/nice/")
    word(page).hover()
    expect(explanation(page)).to_be_visible()
    # It can be reached by the pointer, and goes with Escape, which moves neither.
    explanation(page).hover()
    expect(explanation(page)).to_be_visible()
    page.keyboard.press("Escape")
    expect(explanation(page)).to_have_count(0)


@pytest.mark.thorough
def test_a_word_is_explained_by_keyboard(visit: Visit) -> None:
    page = visit.open("notebooks/nice/")
    word(page).focus()
    expect(explanation(page)).to_be_visible()
    expect(word(page)).to_have_accessible_description(re.compile("^Coupling layer One"))
    page.keyboard.press("Escape")
    expect(explanation(page)).to_have_count(0)
    word(page).press("Enter")
    page.wait_for_url("**/glossary/#coupling")


@pytest.mark.thorough
def test_an_explanation_has_no_words_of_its_link(visit: Visit) -> None:
    page = visit.open("notebooks/nice/")
    word(page).focus()
    expect(explanation(page)).to_have_text(re.compile(r"cost the same\.$"))


@pytest.fixture
def touching(browser: Browser, root: str) -> Iterator[Visit]:
    """Of somebody with a phone."""
    visit = Visit(open_tab(browser, viewport=PHONE, has_touch=True), root)
    yield visit
    visit.page.context.close()
    assert visit.faults == []


def test_a_first_tap_explains_and_a_second_one_leads_to_the_glossary(
    touching: Visit,
) -> None:
    page = touching.open("notebooks/nice/")
    word(page).tap()
    expect(explanation(page)).to_be_visible()
    assert page.url.endswith("/notebooks/nice/")
    page.locator("h1").tap()
    expect(explanation(page)).to_have_count(0)
    word(page).tap()
    expect(explanation(page)).to_be_visible()
    word(page).tap()
    page.wait_for_url("**/glossary/#coupling")
    expect(page.locator("#coupling")).to_be_in_viewport()


@pytest.mark.thorough
def test_a_click_leads_to_the_glossary(visit: Visit) -> None:
    page = visit.open("notebooks/nice/")
    word(page).click()
    page.wait_for_url("**/glossary/#coupling")
