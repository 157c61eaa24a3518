"""The bytes and the wait of a visitor, in a real browser.

`python -m benchmarks.website.browser views SITE REPEATS` prints the first views of some
pages of a built site as JSON; `… keys SITE REPEATS` the milliseconds of a keystroke in
its list. A process of its own, as a process can only have one Playwright.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page, Request, ViewportSize

from tests.support.chromium import chromium
from tests.support.kinds import KINDS
from tests.support.serving import serving

# 1.6 Mbit/s down, half of that up; and a processor as many times slower.
SLOW = {"latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 100_000}
SLOWER = 4
PHONE = ViewportSize(width=390, height=844)

_OBSERVE = """
window.seen = { paint: 0, shift: 0 }
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) seen.paint = entry.startTime
}).observe({ type: "largest-contentful-paint", buffered: true })
new PerformanceObserver(list => {
  for (const entry of list.getEntries())
    if (!entry.hadRecentInput) seen.shift += entry.value
}).observe({ type: "layout-shift", buffered: true })
"""
_TO_THE_END = """
async () => {
  for (let y = 0; y < document.body.scrollHeight; y += innerHeight / 2) {
    scrollTo(0, y)
    await new Promise(requestAnimationFrame)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
"""
# From the key until what it changed has been painted.
_TIME_KEYS = """
window.waits = []
addEventListener("keydown", ({ timeStamp }) => requestAnimationFrame(() => {
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => waits.push(performance.now() - timeStamp)
  port2.postMessage(null)
}), true)
"""


class View(NamedTuple):
    """First view of a page: kB as sent, seconds to the largest paint, layout shift."""

    kilobytes: float
    paint: float
    shift: float


def first_view(
    browser: Browser, address: str, slow: bool = False, script: str = ""
) -> View:
    """Open the page on a phone, with nothing cached; with `slow`, a slow one.

    `script` runs in it first.
    """
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    requests: list[Request] = []
    context.on("requestfinished", lambda request: requests.append(request))
    page.add_init_script(_OBSERVE + script)
    if slow:
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", {"offline": False, **SLOW})
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    # Idle alone comes too early where half a second passes between two answers.
    page.goto(address, wait_until="load")
    page.wait_for_load_state("networkidle")
    sent = sum(_size(request) for request in requests)
    paint = page.evaluate("seen.paint")
    page.evaluate(_TO_THE_END)
    page.wait_for_load_state("networkidle")
    shift = page.evaluate("seen.shift")
    context.close()
    return View(sent / 1000, paint / 1000, shift)


def _size(request: Request) -> int:
    if not request.url.startswith("http"):
        return 0
    sizes = request.sizes()
    return sizes["responseBodySize"] + sizes["responseHeadersSize"]


def keystroke(page: Page, words: tuple[str, ...]) -> float:
    """Type words into the filter of the open list, and take them away; median in ms."""
    page.evaluate(_TIME_KEYS)
    page.get_by_role("searchbox", name="Filter by word").focus()
    for word in words:
        for key in [*word, *["Backspace"] * len(word)]:
            page.keyboard.press(key)
            page.wait_for_timeout(150)  # a quick typist's pause
    return statistics.median(page.evaluate("waits"))


def _views(browser: Browser, root: str, repeats: int) -> dict[str, View]:
    """Visit on a slow phone: the most kilobytes and shift, the median paint."""
    views = {}
    for kind in ("home", "list", "notebook"):
        visits = [
            first_view(browser, root + KINDS[kind], slow=True) for _ in range(repeats)
        ]
        kilobytes, paints, shifts = zip(*visits, strict=True)
        views[kind] = View(max(kilobytes), statistics.median(paints), max(shifts))
    return views


def _keys(browser: Browser, root: str, repeats: int) -> float:
    page = browser.new_page()
    page.goto(f"{root}list/", wait_until="networkidle")
    return keystroke(page, ("spline", "coupled", "variational", "euler")[:repeats])


if __name__ == "__main__":
    measure = {"views": _views, "keys": _keys}[sys.argv[1]]
    with serving(Path(sys.argv[2])) as root, chromium() as browser:
        print(json.dumps(measure(browser, root, int(sys.argv[3]))))
