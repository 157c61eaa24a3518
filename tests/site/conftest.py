"""The built site, once for all tests, and a browser to open it with."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from scripts.base.project import ROOT
from scripts.catalogue import Catalogue, load
from tests.support.building import build, copy_frozen, copy_project
from tests.support.chromium import chromium
from tests.support.serving import serving
from tests.support.visit import PHONE, Visit

# A machine that does much else takes seconds for what takes a tenth of one elsewhere.
PATIENCE = 15_000  # milliseconds
expect.set_options(timeout=PATIENCE)


class Built:
    """A build of the committed project."""

    def __init__(self, folder: Path) -> None:
        self.site = folder / "site"
        self.run: subprocess.CompletedProcess = build(ROOT, self.site)

    def pages(self) -> dict[str, str]:
        """Address of each page, relative to the site's root → its HTML."""
        return {
            path.relative_to(self.site).as_posix().removesuffix("index.html"): (
                path.read_text("utf-8")
            )
            for path in sorted(self.site.rglob("*.html"))
        }


def open_tab(browser: Browser, **options: Any) -> Page:
    """A tab of a browser that was never used."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    return context.new_page()


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    built = Built(tmp_path_factory.mktemp("built"))
    assert built.run.returncode == 0, built.run.stderr
    return built


@pytest.fixture(scope="session")
def pages(built: Built) -> dict[str, str]:
    return built.pages()


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load(ROOT / "resources.yaml", ROOT / "implementations")


@pytest.fixture
def project(tmp_path: Path, built: Built) -> Path:
    """A copy of the project that was built: its cards need not be drawn again."""
    project = copy_project(tmp_path / "project")
    shutil.copytree(built.site / "assets" / "cards", project / ".cache" / "cards")
    return project


@pytest.fixture(scope="session")
def root(built: Built) -> Iterator[str]:
    with serving(built.site) as address:
        yield address


@pytest.fixture(scope="session")
def frozen_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the frozen list's site, whatever joins the one that we publish."""
    folder = tmp_path_factory.mktemp("frozen")
    run = build(copy_frozen(folder / "project"), folder / "site")
    assert run.returncode == 0, run.stderr
    with serving(folder / "site") as address:
        yield address


STILL = {"java_script_enabled": False, "viewport": PHONE}


class Room:
    """The browser and tabs of all tests here: opening one costs as much as two tests.

    They end with the last of these tests, not with the session: while Playwright runs,
    no other room may start an event loop in this process.
    """

    def __init__(self) -> None:
        self.open = ExitStack()
        self.missing: RuntimeError | None = None
        self.browser = cache(self._start)
        self.tab = cache(lambda: open_tab(self.browser()))
        self.still = cache(lambda: open_tab(self.browser(), **STILL))

    def _start(self) -> Browser:
        """Start the browser, or say again at once that there is none."""
        if self.missing:
            raise self.missing
        try:
            return self.open.enter_context(chromium())
        except RuntimeError as error:
            self.missing = error
            raise


room = Room()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, None, None]:
    """Close the browser after the last test of the folder."""
    global room
    yield
    if not nextitem or nextitem.path.parent != item.path.parent:
        room.open.close()
        room = Room()


@pytest.fixture
def browser() -> Browser:
    return room.browser()


@pytest.fixture
def first_visit(browser: Browser, root: str) -> Iterator[Visit]:
    """Of somebody whose browser has nothing of the site yet."""
    visit = Visit(open_tab(browser), root)
    yield visit
    visit.page.context.close()
    assert visit.faults == []


@pytest.fixture
def tab() -> Page:
    """One for all visits."""
    return room.tab()


@pytest.fixture
def visit(tab: Page, root: str) -> Iterator[Visit]:
    """Of somebody who was here before; where he leaves nothing for the next visit."""
    visit = Visit(tab, root)
    yield visit
    visit.leave()
    assert visit.faults == []


@pytest.fixture
def without_scripts() -> Page:
    """A phone on which no script runs."""
    return room.still()
