"""The list is filtered and sorted as a visitor would."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from scripts.catalogue import Catalogue
from tests.frozen import frozen_catalogue
from tests.support.visit import Visit


@pytest.fixture(scope="session")
def root(frozen_root: str) -> str:
    return frozen_root


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return frozen_catalogue()


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit.open("list/")


def shown(page: Page) -> list[str]:
    """Ids of the entries that are to be seen, from top to bottom."""
    return page.locator("article.entry:visible h3").evaluate_all(
        "headings => headings.map(heading => heading.id)"
    )


def chip(page: Page, name: str) -> Locator:
    return page.locator("#browse label", has_text=re.compile(rf"^{name} \d"))


def test_words_narrow_the_list(page: Page, catalogue: Catalogue) -> None:
    everything = [entry.id for entry in catalogue.entries]
    assert shown(page) == everything
    box = page.get_by_role("searchbox", name="Show only")
    box.fill("durkan SPLINE")
    assert "nsf" in shown(page) and "nice" not in shown(page)
    expect(page.locator("#browse output")).to_have_text(
        f"{len(shown(page))} of {len(everything)}"
    )
    box.fill("Lüdke zzz")
    assert shown(page) == []
    expect(page.locator("#nothing")).to_be_visible()
    expect(page.locator("h2").first).not_to_be_visible()
    page.locator("#browse button").click()
    assert shown(page) == everything
    expect(page.locator("#nothing")).not_to_be_visible()


@pytest.mark.parametrize("typed", ["dürkan", "DURKAN", "  durkan  "])
def test_accents_case_and_blanks_do_not_matter(page: Page, typed: str) -> None:
    page.get_by_role("searchbox", name="Show only").fill(typed)
    assert shown(page) == ["nsf"]


def test_values_of_one_facet_add_up_and_facets_narrow(
    page: Page, catalogue: Catalogue
) -> None:
    chip(page, "Videos").click()
    chip(page, "Posts and courses").click()
    both = [*catalogue.videos, *catalogue.blogs]
    assert shown(page) == [entry.id for entry in both]
    chip(page, "2019").click()
    expected = [entry.id for entry in both if entry.date.year == 2019]
    assert shown(page) == expected
    # The count beside a value is what a click on it leads to.
    expect(chip(page, "Videos").locator("small")).to_have_text(
        str(sum(entry.date.year == 2019 for entry in catalogue.videos))
    )
    count = int(chip(page, "Publications").locator("small").inner_text())
    chip(page, "Publications").click()
    assert len(shown(page)) == len(expected) + count


def test_publications_are_those_that_run_and_others_further_reading(
    page: Page, catalogue: Catalogue
) -> None:
    chip(page, "Publications").click()
    assert shown(page) == [p.id for p in catalogue.publications if p.implemented]
    chip(page, "Publications").click()
    chip(page, "Further reading").click()
    wanted = [p.id for p in catalogue.publications if not p.implemented]
    assert wanted and shown(page) == wanted
    invitations = page.locator(".brief article").get_by_role("link", name="Implement")
    expect(invitations).to_have_count(len(wanted))


def test_groups_of_tags_narrow_and_tags_of_a_group_add_up(
    page: Page, catalogue: Catalogue
) -> None:
    chip(page, "coupling").click()
    chip(page, "spline").click()
    chip(page, "images").click()
    assert all(f"tag={tag}" in page.url for tag in ("coupling", "spline", "images"))
    assert shown(page) == [
        entry.id
        for entry in catalogue.entries
        if {"coupling", "spline"} & {*entry.tags} and "images" in entry.tags
    ]


@pytest.mark.parametrize(
    ("alias", "id"), [("realnvp", "real_nvp"), ("VI", "code_pymc")]
)
def test_the_search_knows_other_names(page: Page, alias: str, id: str) -> None:
    page.get_by_role("searchbox", name="Show only").fill(alias)
    assert id in shown(page)


def test_a_view_is_shared_by_its_address(visit: Visit, page: Page) -> None:
    chip(page, "coupling").click()
    page.get_by_role("searchbox", name="Show only").fill("images")
    page.get_by_label("Order").select_option("newest")
    seen, address = shown(page), page.url
    assert seen and "tag=coupling" in address and "words=images" in address
    visit.page.goto("about:blank")
    visit.page.goto(address)
    assert shown(page) == seen
    expect(page.get_by_role("searchbox", name="Show only")).to_have_value("images")


def test_the_back_button_takes_a_filter_off(page: Page, catalogue: Catalogue) -> None:
    chip(page, "Videos").click()
    chip(page, "Code").click()
    page.go_back()
    assert shown(page) == [entry.id for entry in catalogue.videos]
    page.go_back()
    assert len(shown(page)) == len(list(catalogue.entries))
    page.go_forward()
    assert shown(page) == [entry.id for entry in catalogue.videos]


@pytest.mark.parametrize("order", ["newest", "oldest", "added", "title"])
def test_orders_go_across_kinds(page: Page, catalogue: Catalogue, order: str) -> None:
    page.get_by_label("Order").select_option(order)
    entries = {entry.id: entry for entry in catalogue.entries}
    found = [entries[id] for id in shown(page)]
    assert len(found) == len(entries)
    if order == "title":
        titles = [entry.title.lower() for entry in found]
        assert titles[0] == min(titles) and titles[-1] == max(titles)
    else:
        field = "added" if order == "added" else "date"
        values = [getattr(entry, field) for entry in found]
        assert values == sorted(values, reverse=order != "oldest")
    page.get_by_label("Order").select_option("kind")
    assert shown(page) == [*entries]


def test_it_works_by_keyboard(page: Page, catalogue: Catalogue) -> None:
    page.get_by_role("searchbox", name="Show only").focus()
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert shown(page) == [p.id for p in catalogue.publications if p.implemented]
    expect(page.locator("#browse label:has(:focus-visible)")).to_have_count(1)


def test_a_tag_leads_to_what_else_has_it(visit: Visit, catalogue: Catalogue) -> None:
    page = visit.open("papers/nsf/")
    page.locator("article .tags a", has_text="spline").first.click()
    page.wait_for_url("**/list/?tag=spline")
    assert shown(page) == [e.id for e in catalogue.entries if "spline" in e.tags]


def test_an_address_that_nobody_made_shows_everything(
    visit: Visit, catalogue: Catalogue
) -> None:
    page = visit.open(
        "list/?tag=none&sort=none&words=%3Cimg%20src=x%20onerror=alert(1)%3E"
    )
    assert shown(page) == []
    page = visit.open("list/?tag=none&sort=none")
    assert len(shown(page)) == len(list(catalogue.entries))
    expect(page.get_by_label("Order")).to_have_value("kind")


def test_the_list_is_whole_without_scripts(
    root: str, catalogue: Catalogue, without_scripts: Page
) -> None:
    page = without_scripts
    page.goto(f"{root}list/")
    expect(page.locator("article.entry:visible")).to_have_count(
        len(list(catalogue.entries))
    )
    expect(page.locator("#browse")).not_to_be_visible()
