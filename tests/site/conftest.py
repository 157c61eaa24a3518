"""The built site, once for all tests, and a browser to open it with."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from scripts.catalogue import Catalogue, load
from scripts.project import ROOT
from tests.site.building import build, copy_project
from tests.site.chromium import chromium
from tests.site.serving import serving
from tests.site.visit import Visit


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
def project(tmp_path: Path) -> Path:
    return copy_project(tmp_path / "project")


@pytest.fixture(scope="session")
def root(built: Built) -> Iterator[str]:
    with serving(built.site) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser, root: str) -> Iterator[Visit]:
    context = browser.new_context()
    context.set_default_timeout(10_000)
    visit = Visit(context.new_page(), root)
    yield visit
    context.close()
    assert visit.faults == []
