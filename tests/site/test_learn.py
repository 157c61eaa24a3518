"""The path for learners: its steps, what each leads to, and what the browser keeps."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import Locator, Page, expect

from scripts.catalogue import Catalogue
from tests.support.visit import PHONE, Visit

BRANCHES = ["Fit a density and generate", "Infer and sample", "Physics and symmetry"]
BRANCHES += ["From ODEs to flow matching"]


@pytest.fixture
def rails(pages: dict[str, str]) -> dict[str, Tag]:
    """Heading of a rail → the rail."""
    page = BeautifulSoup(pages["learn/"], "html.parser")
    found = {}
    for rail in page.select("ol.rail"):
        heading = rail.find_previous("h2")
        assert heading
        found[heading.get_text().removesuffix("¶")] = rail
    return found


def steps(rail: Tag) -> list[Tag]:
    return rail.find_all("li", recursive=False)


@pytest.mark.published
def test_eight_steps_and_four_branches(rails: dict[str, Tag]) -> None:
    trunk, *branches = rails
    assert branches == BRANCHES
    assert len(steps(rails[trunk])) == 8
    for branch in branches:
        assert len(steps(rails[branch])) >= 3, branch


@pytest.mark.published
def test_a_step_has_one_action_and_says_what_it_takes(
    rails: dict[str, Tag], catalogue: Catalogue
) -> None:
    entries = {entry.id: entry for entry in catalogue.entries}
    for step in (step for rail in rails.values() for step in steps(rail)):
        entry = entries[str(step["id"]).removeprefix("step-")]
        [action] = step.select("a.md-button")
        takes = step.select_one(".act .takes")
        assert takes and step.h3 and step.p and step.p.get_text().strip()
        if getattr(entry, "implemented", False):
            assert action["href"] == f"../notebooks/{entry.id}/"
            assert re.fullmatch(r"(\d+ min)? ?(\d+ s)? to run", takes.get_text())
            assert step.select_one("img")
        elif entry.section.kind == "publication":
            assert action["href"] == f"../papers/{entry.id}/"
        else:
            assert action["href"] == entry.url


@pytest.mark.published
def test_every_notebook_is_on_the_path(
    rails: dict[str, Tag], catalogue: Catalogue
) -> None:
    ids = [str(s["id"])[5:] for rail in rails.values() for s in steps(rail)]
    assert len({*ids}) == len(ids)
    implemented = {p.id for p in catalogue.publications if p.implemented}
    assert implemented <= {*ids}


def box(page: Page, title: str) -> Locator:
    return page.get_by_role("checkbox", name=f"Done: {title}")


def test_what_is_done_is_kept_and_what_comes_next_is_said(visit: Visit) -> None:
    page = visit.open("learn/")
    progress = page.locator("#progress")
    expect(progress).to_have_text("")
    box(page, "See it move").check()
    box(page, "Mix channels").check()  # of a branch: it does not count
    expect(progress).to_have_text("1 of 8 steps done. Next: Change variables by hand")
    page = visit.open("learn/")
    expect(box(page, "See it move")).to_be_checked()
    expect(box(page, "Mix channels")).to_be_checked()
    expect(box(page, "Couple")).not_to_be_checked()
    progress.get_by_role("link").click()
    page.wait_for_url("**/learn/#step-blog_jang")
    box(page, "See it move").uncheck()
    expect(progress).to_have_text("")
    page = visit.open("learn/")
    expect(box(page, "See it move")).not_to_be_checked()


def test_a_path_that_is_done_leads_on(visit: Visit) -> None:
    page = visit.open("learn/")
    for each in page.locator(".rail").first.get_by_role("checkbox").all():
        each.check()
    text = "8 of 8 steps done. Choose a branch below."
    expect(page.locator("#progress")).to_have_text(text)


@pytest.mark.parametrize("kept", ['"x"', "{", "[1, null]"])
def test_whatever_the_browser_keeps_the_page_works(visit: Visit, kept: str) -> None:
    page = visit.open("learn/")
    key = "new URL('..', location).pathname + '.done'"
    page.evaluate(f"kept => localStorage.setItem({key}, kept)", kept)
    page = visit.open("learn/")
    box(page, "Couple").check()
    expect(page.locator("#progress")).to_contain_text("1 of 8")


def test_without_scripts_there_is_nothing_to_tick(
    root: str, without_scripts: Page
) -> None:
    page = without_scripts
    page.goto(f"{root}learn/")
    expect(page.locator(".rail > li").first).to_be_visible()
    expect(page.get_by_role("checkbox", name="Done")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
