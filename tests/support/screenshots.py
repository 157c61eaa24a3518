"""Pictures of every kind of page, to be looked at.

`python -m tests.support.screenshots site pictures` photographs the built site in
`site/` at three widths, light and dark, into `pictures/`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page

from tests.support.chromium import chromium
from tests.support.kinds import KINDS
from tests.support.serving import serving

PAGES = {**KINDS, "filtered": "list/?tag=coupling&sort=newest"}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
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
            for scheme in SCHEMES:
                context = browser.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme=scheme,
                    reduced_motion="reduce",
                    bypass_csp=True,  # for the style that is added below
                )
                _photograph(
                    context.new_page(), root, arguments.pictures, f"{width}-{scheme}"
                )
                context.close()


def _photograph(page: Page, root: str, folder: Path, kind: str) -> None:
    for name, path in PAGES.items():
        page.goto(root + path, wait_until="networkidle")
        # A full-page picture never scrolls, which would call for these.
        page.evaluate("for (const i of document.images) i.loading = 'eager'")
        page.wait_for_load_state("networkidle")
        page.add_style_tag(content=".entry { content-visibility: visible !important }")
        picture = folder / f"{name}-{kind}.png"
        page.screenshot(path=picture, full_page=True)
    page.goto(root, wait_until="networkidle")
    page.keyboard.press("/")
    page.keyboard.type("coupling", delay=20)
    page.locator(".md-search-result__item").first.wait_for()
    page.screenshot(path=folder / f"search-{kind}.png")


if __name__ == "__main__":
    main()
