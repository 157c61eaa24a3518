"""The Chromium that tests look at the site with: find one that starts, and open it.

`make chromium` gets one where there is none. It runs before anything is installed,
so that Playwright is imported late.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# No sandbox, as Playwright has it; no QUIC, and none of Chromium's own errands.
SWITCHES = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-sync", "--disable-background-networking"),
    "--disable-component-update",
]
SECONDS = 30  # to start in; a second is usual


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; RuntimeError where there is none."""
    from playwright.sync_api import sync_playwright

    path = find_chromium()
    if not path:
        raise RuntimeError("no Chromium starts here: run `make chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=SWITCHES)
        yield browser
        browser.close()


def find_chromium() -> str | None:
    """Return the first Chromium that starts."""
    return next((path for path in candidates() if not fault(path)), None)


def candidates() -> Iterator[str]:
    """Yield $CHROMIUM alone where that is set; else those on the PATH, Playwright's."""
    if named := os.environ.get("CHROMIUM"):
        yield named
        return
    yield from filter(None, map(shutil.which, NAMES))
    if path := downloaded():
        yield path


def downloaded() -> str | None:
    """Return where the Chromium is that Playwright downloaded, if it did."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def fault(path: str) -> str:
    """Start the Chromium without a window; return why that failed, "" if it did not.

    Being there is not enough: its system libraries may be missing.
    """
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        own = ("--headless", f"--user-data-dir={profile}", "--dump-dom", "about:blank")
        try:
            with running([path, *SWITCHES, *own]) as process:
                output, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return f"it did not answer within {SECONDS} seconds"
        except OSError as error:
            return str(error)
    return "" if "<html>" in output else output or f"it ended, {process.returncode}"


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Run a command that has no terminal, and so asks nothing.

    It ends with all its children where the block fails.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            yield process
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGINT if interrupted else signal.SIGKILL)
            raise
