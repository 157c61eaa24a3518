"""A visit to the built site, and all that went wrong on it."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request, ViewportSize

PHONE = ViewportSize(width=390, height=844)


class Visit:
    """A page that is open, and all that went wrong on it."""

    def __init__(self, page: Page, root: str) -> None:
        self.page, self.root = page, root
        self.faults: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", self._see)
        page.on("requestfailed", self._miss)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("warning", "error"):
            self.faults.append(f"{message.type}: {message.text}")

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
