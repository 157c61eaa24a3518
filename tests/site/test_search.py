"""The search finds what is meant, says what it is, and loads when somebody searches."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from scripts.catalogue import Catalogue
from scripts.site.search import set_documents_apart
from tests.frozen import frozen_catalogue
from tests.support.visit import PHONE, Visit


@pytest.fixture(scope="session")
def root(frozen_root: str) -> str:
    return frozen_root


def test_documents_are_loaded_with_the_first_word(first_visit: Visit) -> None:
    seen: list[str] = []
    first_visit.page.context.on("request", lambda request: seen.append(request.url))
    page = first_visit.open("notation/")
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


@pytest.mark.sampled
@pytest.mark.parametrize("found", ["notebooks/nice/", "reference/maps/"])
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


def search(page: Page, words: str) -> None:
    page.keyboard.press("/")
    page.locator(".md-search__input").fill(words)
    page.keyboard.press("End")  # the search listens to keys


@pytest.mark.parametrize("words", ["real nvp", "RealNVP", "realnvp"])
def test_a_paper_is_found_first_by_its_names(visit: Visit, words: str) -> None:
    page = visit.open("")
    search(page, words)
    first = page.locator(".md-search-result__item").first
    expect(first.locator("a").first).to_have_attribute(
        "href", re.compile(r"/papers/real_nvp/\?h=")
    )
    expect(first.locator(".kind")).to_have_text("Paper")


def test_each_result_says_what_it_is(visit: Visit) -> None:
    page = visit.open("")
    kinds: set[str] = set()
    for words in ("spline", "pymc", "coupling", "introduction", "jang"):
        search(page, words)
        expect(page.locator(".md-search-result__meta")).to_contain_text("matching")
        expect(page.locator(f"a[href*='h={words}']").first).to_be_attached()
        items = page.locator(".md-search-result__item")
        told = items.locator(":scope > a:first-child .kind").all_inner_texts()
        assert len(told) == items.count() > 0
        kinds |= {*told}
    assert kinds >= {
        *("Paper", "Notebook", "Page", "Video", "Blog post", "Code"),
        "Word of the glossary",
    }


LINES = """excerpts => excerpts.map(excerpt => {
  const { lineHeight } = getComputedStyle(excerpt)
  return excerpt.getBoundingClientRect().height / parseFloat(lineHeight)
})"""


@pytest.mark.parametrize("size", [None, PHONE], ids=["desk", "phone"])
def test_an_excerpt_has_three_lines_at_most(
    visit: Visit, size: ViewportSize | None
) -> None:
    if size:
        visit.page.set_viewport_size(size)
    page = visit.open("")
    if size:
        page.locator(".md-header__button[for=__search]").click()
    search(page, "coupling")
    expect(page.locator(".md-search-result__item").nth(3)).to_be_visible()
    lines = page.locator(".excerpt:visible").evaluate_all(LINES)
    assert len(lines) > 3 and max(lines) < 3.1
    assert page.locator(".excerpt mark").count() > 3


def test_folded_code_and_formulas_are_not_searched(visit: Visit) -> None:
    answer = visit.page.request.get(f"{visit.root}search/documents.json")
    documents = answer.json()
    found = [d for d in documents if d["location"].startswith("notebooks/nice/")]
    assert len(found) > 5
    for document in documents:
        assert "\\(" not in document["text"], document["location"]
    assert not any("import torch" in document["text"] for document in found)
    # Code that is in sight on the page can be found.
    assert any("class" in document["text"] for document in found)


@pytest.mark.thorough
def test_nothing_found_offers_the_list_and_searches_that_find(visit: Visit) -> None:
    page = visit.open("papers/nice/")
    search(page, "zzzz")
    offer = page.locator(".md-search-result__none")
    expect(offer.get_by_role("button")).to_have_count(3)
    for words in offer.get_by_role("button").all_inner_texts():
        search(page, "zzzz")
        expect(offer).to_be_visible()
        offer.get_by_role("button", name=words).click()
        expect(page.locator(".md-search-result__item").first).to_be_visible()
        expect(offer).not_to_be_visible()
    search(page, "zzzz & qqqq")
    expect(offer).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url("**/list/?words=zzzz*")
    expect(page.get_by_role("searchbox")).to_have_value("zzzz & qqqq")


def test_documents_get_kinds_and_other_names(tmp_path: Path) -> None:
    catalogue: Catalogue = frozen_catalogue()
    places = ["", "learn/", "learn/#x", "papers/real_nvp/", "notebooks/"]
    places += ["notebooks/nice/", "list/", "list/#video_gnf", "glossary/#base"]
    found = [{"location": place, "title": "", "text": ""} for place in places]
    (tmp_path / "search").mkdir()
    index = tmp_path / "search" / "search_index.json"
    index.write_text(json.dumps({"config": {}, "docs": found}), "utf-8")
    set_documents_apart(tmp_path, catalogue)
    assert json.loads(index.read_text("utf-8"))["docs"] == []
    documents = json.loads((tmp_path / "search" / "documents.json").read_text("utf-8"))
    assert {d["location"]: d.get("kind") for d in documents} == {
        "": "Page",
        "learn/": "Page",
        "learn/#x": None,
        "papers/real_nvp/": "Paper",
        "notebooks/": "Page",
        "notebooks/nice/": "Notebook",
        "list/": "Page",
        "list/#video_gnf": "Video",
        "glossary/#base": "Word of the glossary",
    }
    named = {d["location"]: d["tags"] for d in documents if "tags" in d}
    assert named == {"papers/real_nvp/": ["RealNVP"]}


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
