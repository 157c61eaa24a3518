"""The costs of a first view: kilobytes as sent, and how far things move."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from benchmarks.website.browser import first_view
from tests.support.kinds import KINDS

# Kilobytes, headers included.
MOST = {"home": 200, "gallery": 400}
OTHERWISE = 300
SHIFT = 0.05
# Pages that most visitors see.
MOSTLY = {"home", "list", "notebook"}


@pytest.mark.sampled
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=pytest.mark.kinds(kind if kind in MOSTLY else ""))
        for kind in KINDS
    ],
)
def test_a_first_view_is_light_and_keeps_still(
    browser: Browser, root: str, kind: str
) -> None:
    view = first_view(browser, root + KINDS[kind])
    if view.shift >= SHIFT:  # a starved machine may paint a page in pieces, once
        view = first_view(browser, root + KINDS[kind])
    # The theme alone, its search included, is more than the lower bound.
    assert 50 < view.kilobytes <= MOST.get(kind, OTHERWISE)
    assert 0 < view.paint
    assert view.shift < SHIFT


@pytest.mark.thorough
def test_what_moves_is_noticed(browser: Browser, root: str) -> None:
    pushed = """addEventListener("load", () => setTimeout(() => {
      document.querySelector("article").style.paddingTop = "300px"
    }, 100))"""
    view = first_view(browser, root + KINDS["learn"], script=pushed)
    assert view.shift > SHIFT
