"""Figures that are opened whole, and boxes that show that they go on."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.support.kinds import KINDS
from tests.support.visit import DESKTOP, PHONE, Visit

NAME = "Open the whole figure"
FITS = """figure => {
  const { left, right, top } = figure.getBoundingClientRect()
  const images = [...figure.querySelectorAll("img")].map(i => i.getBoundingClientRect())
  return left >= 0 && right <= innerWidth && top >= 0
    && images.every(i => i.bottom <= innerHeight && i.right <= innerWidth + 1)
    && new Set(images.map(i => Math.round(i.top))).size === 1
}"""
# The sides to which a box can be scrolled.
SIDES = """box => [box.scrollLeft > 1 && "left",
  box.scrollLeft < box.scrollWidth - box.clientWidth - 1 && "right"]
  .filter(Boolean).join(" ")"""
BOXES = "div.arithmatex, .arithmatex[data-display], pre > code"
MASK = "box => getComputedStyle(box).maskImage"


def open_first(page: Page) -> Locator:
    """Open the figure with the most panels."""
    figure = page.locator("article figure:has(img:nth-of-type(4))").first
    figure.get_by_role("button", name=NAME).click()
    dialog = page.locator("dialog")
    expect(dialog).to_be_visible()
    for image in dialog.locator("img").all():
        page.wait_for_function("image => image.complete", arg=image.element_handle())
    return dialog


@pytest.mark.sampled
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_a_figure_opens_whole(visit: Visit, size: ViewportSize) -> None:
    visit.page.set_viewport_size(size)
    page = visit.open(KINDS["notebook"])
    dialog = open_first(page)
    expect(dialog.locator("img")).to_have_count(4)
    assert dialog.locator("figure").evaluate(FITS)
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    focused = page.evaluate("document.activeElement.ariaLabel")
    assert focused.startswith(NAME)


@pytest.mark.thorough
def test_a_phone_shows_the_full_size_too(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    dialog = open_first(visit.open(KINDS["notebook"]))
    figure = dialog.locator("figure")
    drawn = sum(
        int(image.get_attribute("width") or 0) for image in dialog.locator("img").all()
    )
    assert drawn > PHONE["width"]
    dialog.get_by_role("button", name="Full size").click()
    assert figure.evaluate("figure => figure.offsetWidth") == drawn
    stage = dialog.locator(".stage")
    assert stage.evaluate("stage => stage.scrollWidth > stage.clientWidth")
    dialog.get_by_role("button", name="Full size").click()
    assert figure.evaluate(FITS)
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).not_to_be_visible()


@pytest.mark.thorough
def test_a_click_on_a_figure_opens_it_and_one_beside_it_closes_it(visit: Visit) -> None:
    visit.page.set_viewport_size(DESKTOP)
    page = visit.open(KINDS["notebook"])
    page.locator("article figure:has(.enlarge) img").first.click()
    dialog = page.locator("dialog")
    expect(dialog).to_be_visible()
    expect(page.get_by_role("button", name="Full size")).not_to_be_visible()
    page.mouse.click(2, 2)
    expect(dialog).not_to_be_visible()


@pytest.mark.sampled
@pytest.mark.parametrize("kind", ["notebook", "paper"])
def test_what_goes_on_sideways_shows_it(visit: Visit, kind: str) -> None:
    visit.page.set_viewport_size(PHONE)
    page = visit.open(KINDS[kind])
    page.wait_for_load_state("networkidle")
    boxes = page.locator(f"article :is({BOXES})")
    wide = [box for box in boxes.all() if box.is_visible() and box.evaluate(SIDES)]
    assert wide
    for box in wide:
        expect(box).to_have_attribute("data-more", "right")
        expect(box).to_have_attribute("tabindex", "0")
        assert "linear-gradient" in box.evaluate(MASK)
    box = wide[0]
    box.evaluate("box => { box.scrollLeft = 20 }")
    expect(box).to_have_attribute("data-more", box.evaluate(SIDES))
    assert "left" in box.evaluate(SIDES)
    page.set_viewport_size({"width": 2000, "height": 900})
    expect(page.locator("article .arithmatex[data-more]")).to_have_count(0)
