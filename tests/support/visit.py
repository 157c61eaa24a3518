"""A visit to the built site, and all that went wrong on it."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Error, Page, Request, ViewportSize

from tests.support.kinds import KINDS

DESKTOP = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)
# What Playwright gives a new tab.
USUAL = ViewportSize(width=1280, height=720)
FORGET = "origin === 'null' || (localStorage.clear(), sessionStorage.clear())"


class Visit:
    """A page that is open, and all that went wrong on it."""

    def __init__(self, page: Page, root: str) -> None:
        self.page, self.root = page, root
        self.faults: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", self._throw)
        page.on("request", self._see)
        page.on("requestfailed", self._miss)

    def _hear(self, message: ConsoleMessage) -> None:
        # The browser itself reports a missing page, and it should.
        missing = message.location["url"] == self.root + KINDS["missing"]
        if message.type in ("warning", "error") and not missing:
            self.faults.append(f"{message.type}: {message.text}")

    def _throw(self, error: Error) -> None:
        self.faults.append(str(error))

    def _see(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.root).netloc:
            self.faults.append(f"request to another host: {request.url}")

    def _miss(self, request: Request) -> None:
        # Whoever leaves a page early aborts what it was still loading.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"{request.failure}: {request.url}")

    def open(self, path: str) -> Page:
        self.page.goto(self.root + path)
        return self.page

    def leave(self) -> None:
        """Leave the tab as it was: empty, of its usual size, and nothing remembered."""
        self.page.evaluate(FORGET)
        self.page.goto("about:blank")
        self.page.set_viewport_size(USUAL)
        self.page.emulate_media(
            media="null", color_scheme="null", reduced_motion="null"
        )
        self.page.remove_listener("console", self._hear)
        self.page.remove_listener("pageerror", self._throw)
        self.page.remove_listener("request", self._see)
        self.page.remove_listener("requestfailed", self._miss)
