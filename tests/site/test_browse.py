"""The list is filtered and sorted as a visitor would."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from playwright.sync_api import Locator, Page, expect

from scripts.catalogue import Catalogue, Entry
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


def listed(catalogue: Catalogue, entries: Iterable[Entry] | None = None) -> list[str]:
    """Ids of these entries, or of all, as the page has them.

    Each kind begins with its newest.
    """
    wanted = {entry.id for entry in entries or catalogue.entries}
    return [
        entry.id
        for shelf in catalogue.shelves.values()
        for entry in reversed(shelf)
        if entry.id in wanted
    ]


def shown(page: Page) -> list[str]:
    """Ids of the entries that are to be seen, from top to bottom."""
    return page.locator("article.entry:visible h3").evaluate_all(
        "headings => headings.map(heading => heading.id)"
    )


def words(page: Page) -> Locator:
    return page.get_by_role("searchbox", name="Filter by word")


def box(page: Page, name: str) -> Locator:
    return page.locator("#browse label", has_text=re.compile(rf"^{name} \d"))


def chips(page: Page) -> Locator:
    return page.locator(".bar .chips button")


def contents(page: Page) -> Locator:
    return page.locator(".md-sidebar--secondary li:visible")


def test_words_narrow_the_list(page: Page, catalogue: Catalogue) -> None:
    everything = listed(catalogue)
    assert shown(page) == everything
    words(page).fill("durkan SPLINE")
    assert "nsf" in shown(page) and "nice" not in shown(page)
    expect(page.locator(".bar output")).to_have_text(
        f"{len(shown(page))} of {len(everything)}"
    )
    words(page).fill("Lüdke zzz")
    assert shown(page) == []
    expect(page.locator(".nothing")).to_be_visible()
    expect(page.locator("h2").first).not_to_be_visible()
    page.locator(".bar").get_by_role("button", name="Clear all").click()
    assert shown(page) == everything
    expect(page.locator(".nothing")).not_to_be_visible()


@pytest.mark.parametrize("typed", ["dürkan", "DURKAN", "  durkan  "])
def test_accents_case_and_blanks_do_not_matter(page: Page, typed: str) -> None:
    words(page).fill(typed)
    assert shown(page) == ["nsf"]


def test_values_of_one_facet_add_up_and_facets_narrow(
    page: Page, catalogue: Catalogue
) -> None:
    box(page, "Videos").click()
    box(page, "Posts and courses").click()
    both = [*catalogue.videos, *catalogue.blogs]
    assert shown(page) == listed(catalogue, both)
    box(page, "introduction").click()
    expected = [entry for entry in both if "introduction" in entry.tags]
    assert shown(page) == listed(catalogue, expected)
    # The count beside a value is what a click on it leads to.
    expect(box(page, "Videos").locator("small")).to_have_text(
        str(sum("introduction" in entry.tags for entry in catalogue.videos))
    )
    count = int(box(page, "Further reading").locator("small").inner_text())
    assert count
    box(page, "Further reading").click()
    assert len(shown(page)) == len(expected) + count


@pytest.mark.parametrize(("first", "last"), [("2017", "2019"), ("2019", "2017")])
def test_years_are_from_one_to_another_in_either_order(
    page: Page, catalogue: Catalogue, first: str, last: str
) -> None:
    page.get_by_label("From year").select_option(first)
    page.get_by_label("To year").select_option(last)
    between = [e for e in catalogue.entries if 2017 <= e.date.year <= 2019]
    assert shown(page) == listed(catalogue, between)
    page.get_by_role("button", name=f"Remove the filter to {last}").click()
    since = [e for e in catalogue.entries if e.date.year >= int(first)]
    assert shown(page) == listed(catalogue, since)
    assert f"from={first}" in page.url and "to=" not in page.url


def test_an_address_of_before_with_years_still_leads_to_them(
    visit: Visit, catalogue: Catalogue
) -> None:
    page = visit.open("list/?year=2019")
    of_2019 = [e for e in catalogue.entries if e.date.year == 2019]
    assert shown(page) == listed(catalogue, of_2019)


def test_each_active_filter_is_a_chip_that_removes_it(
    page: Page, catalogue: Catalogue
) -> None:
    box(page, "Videos").click()
    box(page, "introduction").click()
    page.get_by_label("From year").select_option("2019")
    expect(chips(page)).to_have_text(["Videos", "introduction", "from 2019"])
    page.get_by_role("button", name="Remove the filter introduction").click()
    page.get_by_role("button", name="Remove the filter from 2019").click()
    assert shown(page) == listed(catalogue, catalogue.videos)
    # Whoever has no mouse is at the next one.
    expect(chips(page)).to_be_focused()
    expect(chips(page)).to_have_count(1)


def test_publications_are_those_that_run_and_others_further_reading(
    page: Page, catalogue: Catalogue
) -> None:
    box(page, "Publications").click()
    running = [p for p in catalogue.publications if p.implemented]
    assert shown(page) == listed(catalogue, running)
    box(page, "Publications").click()
    box(page, "Further reading").click()
    wanted = [p for p in catalogue.publications if not p.implemented]
    assert wanted and shown(page) == listed(catalogue, wanted)
    invitation = page.get_by_role("main").get_by_role("link", name="Implement one")
    expect(invitation).to_be_visible()


def test_groups_of_tags_narrow_and_tags_of_a_group_add_up(
    page: Page, catalogue: Catalogue
) -> None:
    box(page, "coupling").click()
    box(page, "spline").click()
    box(page, "images").click()
    assert all(f"tag={tag}" in page.url for tag in ("coupling", "spline", "images"))
    both = [
        entry
        for entry in catalogue.entries
        if {"coupling", "spline"} & {*entry.tags} and "images" in entry.tags
    ]
    assert shown(page) == listed(catalogue, both)


def test_a_tag_of_an_entry_narrows_what_is_shown(
    page: Page, catalogue: Catalogue
) -> None:
    box(page, "Videos").click()
    page.locator(".row:visible .tags a", has_text="introduction").first.click()
    both = [e for e in catalogue.videos if "introduction" in e.tags]
    assert shown(page) == listed(catalogue, both)
    expect(chips(page)).to_have_text(["Videos", "introduction"])


@pytest.mark.parametrize(
    ("alias", "id"), [("realnvp", "real_nvp"), ("VI", "code_pymc")]
)
def test_the_search_knows_other_names(page: Page, alias: str, id: str) -> None:
    words(page).fill(alias)
    assert id in shown(page)


def test_a_view_is_shared_by_its_address(visit: Visit, page: Page) -> None:
    box(page, "coupling").click()
    words(page).fill("images")
    page.get_by_label("Order").select_option("newest")
    page.get_by_text("Full notes").click()
    seen, address = shown(page), page.url
    assert seen
    for part in ("tag=coupling", "words=images", "sort=newest", "view=full"):
        assert part in address
    visit.page.goto("about:blank")
    visit.page.goto(address)
    assert shown(page) == seen
    expect(words(page)).to_have_value("images")
    expect(page.get_by_label("Full notes")).to_be_checked()


def test_the_back_button_takes_a_filter_off(page: Page, catalogue: Catalogue) -> None:
    box(page, "Videos").click()
    box(page, "Code").click()
    page.go_back()
    assert shown(page) == listed(catalogue, catalogue.videos)
    page.go_back()
    assert len(shown(page)) == len(list(catalogue.entries))
    page.go_forward()
    assert shown(page) == listed(catalogue, catalogue.videos)


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
    assert shown(page) == listed(catalogue)


@pytest.mark.parametrize("order", ["kind", "newest", "oldest", "added", "title"])
def test_headings_and_contents_count_what_is_shown_and_lead_there(
    page: Page, order: str
) -> None:
    page.get_by_label("Order").select_option(order)
    words(page).fill("variational")
    headings = page.locator("article > h2:visible, .ordered h2:visible")
    told = [text.strip("¶").strip() for text in headings.all_inner_texts()]
    assert sum(int(text.split()[-1]) for text in told) == len(shown(page)) > 1
    expect(contents(page)).to_have_text(told)
    contents(page).last.locator("a").click()
    expect(headings.last).to_be_in_viewport()
    expect(page).to_have_url(re.compile("#"))


def test_years_are_the_headings_of_the_newest(page: Page) -> None:
    page.get_by_label("Order").select_option("newest")
    years = [text.split()[0] for text in contents(page).all_inner_texts()]
    assert years[0] == "2025" and years == sorted(years, reverse=True)


def test_it_works_by_keyboard(page: Page, catalogue: Catalogue) -> None:
    page.locator(".bar a").focus()
    for _ in range(2):  # the filters as a whole, to scroll them, and the first
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    running = [p for p in catalogue.publications if p.implemented]
    assert shown(page) == listed(catalogue, running)
    expect(page.locator("#browse label:has(:focus-visible)")).to_have_count(1)


def test_a_tag_leads_to_what_else_has_it(visit: Visit, catalogue: Catalogue) -> None:
    page = visit.open("papers/nsf/")
    page.locator("article .tags a", has_text="spline").first.click()
    page.wait_for_url("**/list/?tag=spline")
    tagged = [e for e in catalogue.entries if "spline" in e.tags]
    assert shown(page) == listed(catalogue, tagged)


def test_an_address_that_nobody_made_shows_everything(
    visit: Visit, catalogue: Catalogue
) -> None:
    page = visit.open(
        "list/?tag=none&sort=none&words=%3Cimg%20src=x%20onerror=alert(1)%3E"
    )
    assert shown(page) == []
    page = visit.open("list/?tag=none&sort=none&from=none&to=none&view=none")
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
    for needs_scripts in (".bar", ".filters"):
        expect(page.locator(needs_scripts)).not_to_be_visible()
