"""The gallery as a visitor uses it: pictures, ways to run, what narrows it."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from scripts.base.project import ROOT, read_project
from scripts.catalogue import Catalogue, Publication
from scripts.papers import registrations
from scripts.papers.registrations import FAMILIES
from tests.support.visit import PHONE, Visit

PROJECT = read_project()
COUPLING, DENSITY = "Coupling flows", "density-estimation"


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit.open("notebooks/")


@pytest.fixture(scope="session")
def papers(catalogue: Catalogue) -> list[Publication]:
    return [paper for paper in catalogue.publications if paper.implemented]


def family(paper: Publication) -> str:
    return registrations.family(ROOT, paper.id)


def shown(page: Page) -> set[str]:
    """Ids of the papers that are to be seen."""
    links = page.locator("article.work:visible h2 a")
    addresses = links.evaluate_all("links => links.map(link => link.href)")
    return {address.rstrip("/").rpartition("/")[2] for address in addresses}


def choose(page: Page, question: str, answer: str) -> None:
    page.get_by_label(question).select_option(answer)


def card(page: Page, name: str) -> Locator:
    heading = page.get_by_role("heading", name=name, exact=True)
    return page.locator("article.work", has=heading)


def test_one_grid_shows_all_papers_that_run(
    page: Page, papers: list[Publication]
) -> None:
    assert shown(page) == {paper.id for paper in papers}
    expect(page.locator(".works")).to_have_count(1)
    expect(page.locator("#gallery output")).to_have_text(f"{len(papers)} notebooks")


def test_a_card_says_what_is_to_be_seen_and_what_holds(page: Page) -> None:
    nice = card(page, "NICE")
    results = json.loads((ROOT / "implementations/results/nice.json").read_text())
    words = nice.inner_text()
    assert "Coupling flows" in words
    assert "Non-linear independent components estimation" in words
    assert f"{len(results['claims'])} checks" in words
    assert re.search(r"2014 · \d+ s · ", words)
    seen = nice.locator(".seen").inner_text()
    assert seen and (nice.locator("img").get_attribute("alt") or "").startswith(seen)


def test_each_family_has_a_hue_of_its_own() -> None:
    style = (ROOT / "docs/assets/styles/gallery.css").read_text("utf-8")
    hues = dict(re.findall(r'\[data-family="([^"]+)"\] {\s*--family: (\d+);', style))
    assert hues.keys() == set(FAMILIES.values())
    assert len(set(hues.values())) == len(hues)


def test_a_card_leads_to_its_notebook_wherever_it_is_clicked(visit: Visit) -> None:
    page = visit.open("notebooks/")
    # The link of the heading lies over all of it.
    card(page, "Glow").locator(".seen").click(force=True)
    expect(page).to_have_url(f"{visit.root}notebooks/glow/")


def test_every_paper_runs_in_colab(page: Page, papers: list[Publication]) -> None:
    links = page.get_by_role("link", name=re.compile("^Run .* in Colab$"))
    addresses = links.evaluate_all("links => links.map(link => link.href)")
    expected = {PROJECT.colab(f"docs/notebooks/{paper.id}.ipynb") for paper in papers}
    assert {*addresses} == expected
    # It lies above the link that the whole card is.
    covers = """link => {
      const { left, top, width, height } = link.getBoundingClientRect()
      return document.elementFromPoint(left + width / 2, top + height / 2) === link
    }"""
    links.first.scroll_into_view_if_needed()
    assert links.first.evaluate(covers)


def test_a_purpose_and_a_family_narrow_it(
    page: Page, papers: list[Publication]
) -> None:
    choose(page, "Purpose", DENSITY)
    density = {paper.id for paper in papers if DENSITY in paper.tags}
    assert shown(page) == density
    choose(page, "Family", FAMILIES[COUPLING])
    both = {p.id for p in papers if p.id in density and family(p) == COUPLING}
    assert shown(page) == both < density
    output = page.locator("#gallery output")
    expect(output).to_have_text(f"{len(both)} of {len(papers)} notebooks")
    page.get_by_role("button", name="Show all").click()
    assert shown(page) == {paper.id for paper in papers}
    expect(page.get_by_role("button", name="Show all")).not_to_be_visible()


def test_the_counts_are_what_a_choice_leads_to(page: Page) -> None:
    for question in ("Family", "Purpose"):
        options = page.get_by_label(question).locator("option").all_inner_texts()
        assert len(options) > 3
        for option in options[1:]:
            choose(page, question, option)
            assert int(re.findall(r"\((\d+)\)$", option)[0]) == len(shown(page))
        choose(page, question, "")


def test_nothing_is_said_where_nothing_is_both(page: Page) -> None:
    choose(page, "Family", FAMILIES["Surveys"])
    choose(page, "Purpose", "images")
    assert shown(page) == set()
    expect(page.get_by_text("No notebook is both.")).to_be_visible()


def test_what_is_chosen_stands_in_the_address(visit: Visit) -> None:
    page = visit.open("notebooks/")
    choose(page, "Purpose", DENSITY)
    choose(page, "Family", FAMILIES[COUPLING])
    assert page.url == f"{visit.root}notebooks/?family=coupling&purpose={DENSITY}"
    chosen = shown(page)
    page.reload()
    assert shown(page) == chosen
    page.go_back()
    expect(page.get_by_label("Family")).to_have_value("")
    assert shown(page) > chosen
    page.go_back()
    expect(page.get_by_label("Purpose")).to_have_value("")
    assert page.url == f"{visit.root}notebooks/"


def test_an_address_that_asks_for_what_is_not_there_shows_all(
    visit: Visit, papers: list[Publication]
) -> None:
    page = visit.open("notebooks/?family=none&purpose=%3Cb%3E")
    assert len(shown(page)) == len(papers)


def test_it_is_whole_without_scripts(
    root: str, without_scripts: Page, papers: list[Publication]
) -> None:
    page = without_scripts
    page.goto(f"{root}notebooks/")
    assert len(shown(page)) == len(papers)
    expect(page.locator("#gallery")).not_to_be_visible()
    expect(page.get_by_text("No notebook is both.")).not_to_be_visible()


def test_a_phone_shows_several_at_once_and_nothing_sideways(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    page = visit.open("notebooks/")
    for n in range(2):
        expect(page.locator("article.work").nth(n)).to_be_in_viewport()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width == PHONE["width"]
