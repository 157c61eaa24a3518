"""No entry can break a page, whatever stands in it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator

import pytest
import yaml
from playwright.sync_api import Browser, expect

from tests.site.building import build, copy_project
from tests.site.serving import serving

HOSTILE = (
    "<script>window.pwned = 1</script> \"quoted\" & 'so' &amp; <b>bold</b> *a* _b_ `c` "
    "```d``` $e$ $$f$$ [g](https://example.org/g) ![h](h.png) {{ 7 * 7 }} {% if %} "
    "{ .i } # j | k \\ ~~l~~ www.example.org m@example.org :smile: [^n]: </article>"
)
AUTHOR = "1. <b>A</b> *B* _C_ $D$ `E`"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A site in which every text of one publication and one blog is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    project = copy_project(folder / "project")
    path = project / "resources.yaml"
    catalogue = yaml.safe_load(path.read_text("utf-8"))
    for section in ("publications", "videos", "blogs", "code"):
        for entry in catalogue[section]:
            entry["added"] -= datetime.timedelta(days=1)
    for section, sign in (("publications", "# "), ("blogs", "- ")):
        entry = catalogue[section][0]
        entry["added"] += datetime.timedelta(days=1)  # the newest: on the home page
        entry["title"] = sign + HOSTILE
        entry["authors"] = [AUTHOR, f"> {AUTHOR}"]
        entry["links"] = {"Label " + HOSTILE: "https://example.org/?a=1&copy=2_b*c*"}
        entry["venue"] = HOSTILE
        entry["note"] = "--- `<script>` [*x*](https://example.org/_y_) $z$ {{ 1 }} ```"
    path.write_text(yaml.safe_dump(catalogue, allow_unicode=True), "utf-8")
    run = build(project, folder / "site")
    assert run.returncode == 0, run.stderr
    with serving(folder / "site") as root:
        yield root


@pytest.mark.parametrize("path", ["", "list/", "papers/nice/"])
def test_hostile_text_is_shown_as_it_is(
    browser: Browser, hostile: str, path: str
) -> None:
    page = browser.new_page()
    page.goto(hostile + path)
    shown = page.locator("article h1, article h3, article li").all_inner_texts()
    assert any(HOSTILE in text for text in shown), shown
    assert page.evaluate("window.pwned") is None
    assert page.locator("article script, article b, article .arithmatex").count() == 0
    described = page.locator("script[type='application/ld+json']").all_text_contents()
    assert [json.loads(text)["headline"][2:] for text in described] == (
        [HOSTILE] if path.startswith("papers") else []
    )
    page.close()


def test_hostile_text_is_found_and_harmless_in_the_search(
    browser: Browser, hostile: str
) -> None:
    page = browser.new_page()
    page.goto(hostile)
    page.keyboard.press("/")
    page.keyboard.type("quoted")
    results = page.locator(".md-search-result__item")
    expect(results.first).to_contain_text("window.pwned")
    assert page.evaluate("window.pwned") is None
    assert results.locator("script, b, img").count() == 0
    page.close()
