"""The Chromium that tests look at the site with: find one, or get one.

`python -m tests.site.chromium` finds or installs it and says where it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BY_PLAYWRIGHT = [sys.executable, "-m", "playwright", "install", "chromium"]
BY_SYSTEM = ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]
# No sandbox as root, no QUIC, and none of Chromium's own errands.
SWITCHES = [
    *(["--no-sandbox"] if os.getuid() == 0 else []),
    *("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


def find_chromium() -> str | None:
    """Return $CHROMIUM, one on the PATH, or the one that Playwright downloaded."""
    for name in (os.environ.get("CHROMIUM"), *NAMES):
        if name and (path := shutil.which(name)):
            return path
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; RuntimeError where there is none."""
    path = find_chromium()
    if not path:
        raise RuntimeError(f"no Chromium found: {advice()}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=SWITCHES)
        yield browser
        browser.close()


def advice() -> str:
    """Say what to run where no Chromium could be found or installed."""
    return (
        f"run `{' '.join(BY_PLAYWRIGHT)}`, or install Chromium or Chrome "
        "(or name one in the variable CHROMIUM)"
    )


def install() -> int:
    """Find a Chromium, else install one; exit status 1 and advice when that fails."""
    if not find_chromium():
        print("→ Fetching a Chromium for the browser tests")
        if not _run(BY_PLAYWRIGHT) and os.environ.get("CI") and os.getuid() == 0:
            _run(["apt-get", "update"])
            _run(BY_SYSTEM)
    if path := find_chromium():
        print(f"→ Chromium for the browser tests: {path}")
        return 0
    print(f"The browser tests need a Chromium: {advice()}", file=sys.stderr)
    return 1


def _run(command: list[str]) -> bool:
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(install())
