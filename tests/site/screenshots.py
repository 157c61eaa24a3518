"""Pictures of every kind of page, to be looked at.

`python -m tests.site.screenshots site pictures` photographs the built site in `site/`
at three widths, light and dark, into `pictures/`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from playwright.sync_api import Browser

from tests.site.chromium import chromium
from tests.site.serving import serving

PAGES = {
    "home": "",
    "list": "list/",
    "paper": "papers/nice/",
    "wanted": "papers/glow/",
    "notebook": "notebooks/nice/",
    "missing": "no-such-page/",
}
WIDTHS = {1440: 900, 820: 1180, 390: 844}


def main() -> None:
    """Take all pictures, full pages and the open search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path, help="the built site")
    parser.add_argument("pictures", type=Path, help="where the pictures go")
    arguments = parser.parse_args()
    arguments.pictures.mkdir(parents=True, exist_ok=True)
    with serving(arguments.site) as root, chromium() as browser:
        for width, height in WIDTHS.items():
            for scheme in ("light", "dark"):
                _photograph(browser, root, arguments.pictures, width, height, scheme)


def _photograph(
    browser: Browser, root: str, folder: Path, width: int, height: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme
    )
    page = context.new_page()
    for name, path in PAGES.items():
        page.goto(root + path, wait_until="networkidle")
        # A full-page picture never scrolls, so nothing would call for these.
        page.add_style_tag(content=".entry { content-visibility: visible !important }")
        picture = folder / f"{name}-{width}-{scheme}.png"
        page.screenshot(path=picture, full_page=True)
    page.goto(root, wait_until="networkidle")
    page.keyboard.press("/")
    page.keyboard.type("coupling", delay=20)
    page.locator(".md-search-result__item").first.wait_for()
    page.screenshot(path=folder / f"search-{width}-{scheme}.png")
    context.close()


if __name__ == "__main__":
    main()
