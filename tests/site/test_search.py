"""The search loads what it searches when somebody searches."""

from __future__ import annotations

import re
import string

import pytest
from playwright.sync_api import expect

from tests.support.visit import Visit


@pytest.fixture(scope="session")
def root(frozen_root: str) -> str:
    return frozen_root


def test_documents_are_loaded_with_the_first_word(first_visit: Visit) -> None:
    seen: list[str] = []
    first_visit.page.context.on("request", lambda request: seen.append(request.url))
    page = first_visit.open("learn/")
    page.wait_for_load_state("networkidle")
    page.keyboard.press("/")
    expect(page.get_by_role("textbox", name="Search")).to_be_focused()
    page.wait_for_timeout(200)
    assert not any("documents.json" in url for url in seen)
    page.keyboard.type("spl")
    expect(page.locator(".md-search-result__item").first).to_be_visible()
    page.keyboard.type("ine")
    expect(page.locator(".md-search-result__meta")).to_contain_text("matching")
    assert sum("documents.json" in url for url in seen) == 1


def test_an_address_with_a_question_opens_the_search(visit: Visit) -> None:
    page = visit.open("?q=spline")
    item = page.locator(".md-search-result__item", has_text="Spline")
    expect(item.first).to_be_visible()


@pytest.mark.parametrize("found", ["notebooks/nice/", "papers/real_nvp/"])
def test_search_finds_coupling_and_leads_to_it(visit: Visit, found: str) -> None:
    page = visit.open("")
    page.keyboard.press("/")
    page.keyboard.type("coupling")
    result = page.locator(".md-search-result__item", has_text="coupling")
    result.locator(f"a[href*='{found}']").first.click()
    page.wait_for_url(re.compile(f"/{found}"))
    expect(page.locator("article").first).to_contain_text("coupling", ignore_case=True)


def test_search_finds_what_has_no_page_of_its_own(visit: Visit) -> None:
    page = visit.open("")
    page.keyboard.press("/")
    page.keyboard.type("3Blue1Brown")
    page.locator(".md-search-result__link", has_text="A primer").first.click()
    page.wait_for_url(re.compile(r"/list/.*#video_primer$"))
    expect(page.locator("#video_primer")).to_be_in_viewport()


@pytest.mark.thorough
def test_each_letter_and_digit_finds_what_begins_with_it(visit: Visit) -> None:
    """A visit hears of queries that the search gave up."""
    page = visit.open("")
    box = page.locator(".md-search__input")
    for sign in string.ascii_lowercase + string.digits:
        box.fill(sign)
        box.press("End")  # it listens to keys
        found = page.locator(f".md-search-result__link[href*='?h={sign}']")
        expect(found.first).to_be_attached()
