"""Who has no mouse gets everywhere, and sees where."""

from __future__ import annotations

import pytest

from tests.support.kinds import KINDS
from tests.support.visit import Visit

# What a visitor could want to reach, and can see.
TARGETS = """
() => [...document.querySelectorAll(
  "article :is(a[href], button, input, select, summary)"
)].filter(e => e.checkVisibility() && !e.matches(".headerlink, [tabindex='-1']"))
  .map(e => e.dataset.target = e.outerHTML.slice(0, 120))
"""
# Where the keyboard is: what it is, and whether that can be seen.
FOCUS = """
() => {
  const focus = document.activeElement
  const shown = [focus, focus.closest("label") ?? focus].map(e => getComputedStyle(e))
  return [focus.dataset.target ?? null, shown.some(
    ({ outlineStyle, boxShadow }) => outlineStyle !== "none" || boxShadow !== "none"
  )]
}
"""


@pytest.mark.sampled
@pytest.mark.parametrize("path", KINDS.values(), ids=KINDS)
def test_tab_leads_through_the_page(visit: Visit, path: str) -> None:
    page = visit.open(path)
    wanted = page.evaluate(TARGETS)
    reached: set[str] = set()
    for _ in range(2 * len(wanted) + 100):  # the theme has some of its own
        page.keyboard.press("Tab")
        target, seen = page.evaluate(FOCUS)
        if target is None and reached >= set(wanted):
            break
        if target is not None:
            assert seen, f"nothing shows that this has the keyboard: {target}"
            reached.add(target)
    assert set(wanted) - reached == set()
