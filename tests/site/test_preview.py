"""`mkdocs serve` follows edits of the catalogue, and survives broken ones."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, expect

from tests.support.serving import PREFIX
from tests.support.visit import Visit

PATIENCE = 120  # seconds


class Preview:
    """A running `mkdocs serve`, what it serves and what it says."""

    def __init__(self, project: Path, log: Path) -> None:
        self.project, self.log = project, log
        port = free_port()
        self.root = f"http://127.0.0.1:{port}{PREFIX}/"
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mkdocs", "serve", "-a", f"127.0.0.1:{port}"],
                cwd=project,
                env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def page(self, path: str) -> str:
        with urlopen(self.root + path, timeout=PATIENCE) as response:
            return response.read().decode("utf-8")

    def edit(self, *changes: tuple[str, str]) -> None:
        """Save all changes at once: two would be two builds, or one."""
        catalogue = self.project / "resources.yaml"
        text = catalogue.read_text("utf-8")
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        catalogue.write_text(text, "utf-8")

    def wait_until_said(self, words: str, times: int = 1) -> None:
        end = time.monotonic() + PATIENCE
        while self.log.read_text("utf-8").count(words) < times:
            assert time.monotonic() < end, self.log.read_text("utf-8")
            assert self.process.poll() is None, self.log.read_text("utf-8")
            time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def preview(project: Path, tmp_path: Path) -> Iterator[Preview]:
    preview = Preview(project, tmp_path / "log")
    yield preview
    preview.process.terminate()  # what runs in the background may not hear SIGINT
    preview.process.wait(PATIENCE)


@pytest.mark.thorough
def test_the_preview_follows_the_catalogue(preview: Preview, browser: Browser) -> None:
    preview.wait_until_said("Serving on")
    visit = Visit(browser.new_page(), preview.root)
    open_page = visit.open("papers/nice/").locator("article").first
    expect(open_page).to_contain_text("Introduces the additive coupling layer")

    # The policy of a preview lets its reloading script run, and is one all the same.
    preview.edit(("Introduces the additive", "Brings the additive"))
    preview.wait_until_said("Reloading browsers")
    expect(open_page).to_contain_text("Brings the additive coupling")
    assert "default-src 'none'" in preview.page("papers/nice/")
    assert visit.faults == []
    visit.page.close()

    preview.edit(("id: nice", "id: Nice"))
    preview.wait_until_said("resources.yaml:")
    preview.wait_until_said("Reloading browsers", times=2)
    assert "Brings the additive coupling layer" in preview.page("papers/nice/")

    preview.edit(
        ("id: Nice", "id: nice"), ("Brings the additive", "Mends the additive")
    )
    preview.wait_until_said("Reloading browsers", times=3)
    assert "Mends the additive coupling layer" in preview.page("papers/nice/")
