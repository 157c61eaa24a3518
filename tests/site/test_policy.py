"""Each page says which scripts it may run, and the browser keeps to it."""

from __future__ import annotations

import re
import shutil
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup, Tag
from bs4.filter import SoupStrainer
from playwright.sync_api import Browser, TimeoutError, expect

from scripts.base.project import ROOT
from scripts.site.policy import PolicyError, inline_scripts, protect, protect_preview
from tests.site.conftest import Built
from tests.support.building import build
from tests.support.serving import serving
from tests.support.visit import Visit

SCRIPTS = SoupStrainer("script")
POLICY = "Content-Security-Policy"
ELSEWHERE = "https://elsewhere.example"


def head(html: str) -> BeautifulSoup:
    return BeautifulSoup(html.partition("</head>")[0], "html.parser")


def directives(html: str) -> dict[str, list[str]]:
    [meta] = head(html).find_all("meta", {"http-equiv": POLICY})
    parts = (part.split() for part in str(meta["content"]).split(";"))
    return {name: sources for name, *sources in parts}


@pytest.mark.published
def test_the_policy_stands_before_all_it_is_for(pages: dict[str, str]) -> None:
    assert "404.html" in pages
    for path, html in pages.items():
        names = [(each.name, each.attrs) for each in head(html).find_all(True, limit=4)]
        assert names[:3] == [
            ("html", {"lang": "en", "class": ["no-js"]}),
            ("head", {}),
            ("meta", {"charset": "utf-8"}),
        ], path
        assert names[3][1].get("http-equiv") == POLICY, path


@pytest.mark.published
def test_the_policy_names_the_scripts_of_its_page_and_no_others(
    pages: dict[str, str],
) -> None:
    for path, html in pages.items():
        inline = [
            script.string or ""
            for script in BeautifulSoup(html, "html.parser", parse_only=SCRIPTS)
            if isinstance(script, Tag)
            and not script.get("src")
            and "json" not in str(script.get("type"))
        ]
        digests = [b64encode(sha256(text.encode()).digest()) for text in inline]
        expected = ["'self'", *(f"'sha256-{digest.decode()}'" for digest in digests)]
        assert directives(html)["script-src"] == expected, path
        assert len(inline) == 2, path


@pytest.mark.published
def test_the_policy_is_as_tight_as_the_site_allows(pages: dict[str, str]) -> None:
    for path, html in pages.items():
        assert directives(html) | {"script-src": []} == {
            "default-src": ["'none'"],
            "script-src": [],
            "style-src": ["'self'"],
            "img-src": ["'self'", "data:"],
            "font-src": ["'self'"],
            "connect-src": ["'self'"],
            "worker-src": ["'self'"],
            "base-uri": ["'none'"],
            "form-action": ["'none'"],
        }, path


def test_no_page_is_fetched_into_another() -> None:
    # It would run under the policy of the first, which knows none of its scripts.
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    features = yaml.load(text, yaml.BaseLoader)["theme"]["features"]
    assert "navigation.instant" not in features


PAGE = '<html>\n<head>\n<meta charset="utf-8">\n{}</head>\n<body>{}</body>\n</html>'


def test_a_script_of_an_entry_is_not_allowed_because_it_is_there() -> None:
    ours = "<script>ours()</script><script type='application/json'>{}</script>"
    protected = protect(PAGE.format(ours, ""), ["ours()", "elsewhere()"])
    assert protected.count("'sha256-") == 1
    for foreign in (
        "<script>theirs()</script>",
        "<SCRIPT type=module >theirs()</SCRIPT >",
        "<script\n>theirs()</script\t>",
        "<script data-src='x'>theirs()</script>",
        "<script type='text/javascript'>theirs()</script>",
        "<script/x>theirs()</script>",
    ):
        with pytest.raises(PolicyError, match=r"script is not the theme's: 'theirs"):
            protect(PAGE.format(ours, foreign), ["ours()"])


def test_what_runs_nothing_of_its_own_is_no_inline_script() -> None:
    for script in (
        "<script src='x.js'></script>",
        "<SCRIPT SRC=x.js></SCRIPT>",
        '<script title="1 > 0" src="x.js"></script>',
        "<script id=x type = 'application/json'>{}</script>",
        '<script type=application/ld+json>{"a": "<!--"}</script>',
    ):
        assert inline_scripts(f"<p>{script}</p>") == [], script
    text = "if (1 < 0 && '<b>&amp;') { /* <!-- */ }"
    assert inline_scripts(f"<script>{text}</script>") == [text]


def test_a_page_that_would_come_before_its_policy_is_refused() -> None:
    for protected in (lambda page: protect(page, []), protect_preview):
        with pytest.raises(PolicyError, match="does not begin with"):
            protected("<html><head><title>x</title></head></html>")


@pytest.mark.thorough
def test_a_page_with_a_script_of_its_own_does_not_build(
    project: Path, tmp_path: Path
) -> None:
    page = project / "docs" / "notation.md"
    page.write_text(page.read_text("utf-8") + "\n<script>own()</script>\n", "utf-8")
    run = build(project, tmp_path / "site")
    assert run.returncode == 1
    assert (
        "notation.md: an inline script is not the theme's: 'own()' "
        "(move it to a file of its own under docs/assets/)"
    ) in run.stderr + run.stdout


# What would run in a page without a policy, each naming itself in `ran`.
INTRUDERS = {
    "inline": "<script>ran.push('inline')</script>",
    "handler": "<img src='x' onerror=\"ran.push('handler')\">",
    "address": "<a id='address' href=\"javascript:ran.push('address')\">x</a>",
    "other host": f"<script src='{ELSEWHERE}/script.js'></script>",
    "data": "<script src=\"data:text/javascript,ran.push('data')\"></script>",
    "frame": "<iframe srcdoc=\"<script>parent.ran.push('frame')</script>\"></iframe>",
    "form": f"<form id='form' action='{ELSEWHERE}/'><input name='q'></form>",
    "style": "<style>h1 { color: rgb(1, 2, 3) !important }</style>",
    "attribute": "<p id='attribute' style='color: rgb(1, 2, 3)'>x</p>",
    "image": f"<img src='{ELSEWHERE}/pixel.png'>",
    "base": f"<base href='{ELSEWHERE}/'>",
    "object": f"<object data='{ELSEWHERE}/thing'></object>",
}


@pytest.fixture(scope="module")
def tampered(
    built: Built, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """A page with every intruder, with its policy and, beside it, without."""
    site = tmp_path_factory.mktemp("tampered") / "site"
    shutil.copytree(built.site, site)
    page = (site / "index.html").read_text("utf-8")
    body = page.replace("</article>", "".join(INTRUDERS.values()) + "</article>", 1)
    assert body != page
    (site / "with.html").write_text(body, "utf-8")
    bare = re.sub(rf'<meta http-equiv="{POLICY}"[^>]*>', "", body)
    (site / "without.html").write_text(bare, "utf-8")
    with serving(site) as root:
        yield f"{root}with.html", f"{root}without.html"


def intrusions(browser: Browser, address: str) -> tuple[set[str], set[str]]:
    """The intruders that ran on the page, and what it asked another host for."""
    context = browser.new_context()
    context.add_init_script("window.ran = []")
    asked: set[str] = set()

    context.route(
        f"{ELSEWHERE}/**",
        lambda route: (
            asked.add(route.request.url),
            route.fulfill(
                body="ran.push('other host')", content_type="text/javascript"
            ),
        ),
    )
    page = context.new_page()
    page.goto(address)
    page.wait_for_load_state("networkidle")
    for click in ("#address", "#attribute"):
        page.locator(click).evaluate("element => element.click()")
    ran = set(page.evaluate("ran"))
    for name, element in (("style", "h1"), ("attribute", "#attribute")):
        colour = page.locator(element).evaluate("e => getComputedStyle(e).color")
        ran |= {name} if colour == "rgb(1, 2, 3)" else set()
    base = page.evaluate("document.baseURI")
    ran |= {"base"} if base.startswith(ELSEWHERE) else set()
    page.locator("#form").evaluate("form => form.submit()")
    with suppress(TimeoutError):
        page.wait_for_url(f"{ELSEWHERE}/**", timeout=3000)
        ran |= {"form"}
    context.close()
    return ran, {url.removeprefix(f"{ELSEWHERE}/") for url in asked}


@pytest.mark.thorough
def test_nothing_that_was_brought_in_runs(
    browser: Browser, tampered: tuple[str, str]
) -> None:
    protected, bare = tampered
    assert intrusions(browser, protected) == (set(), set())
    # The same page without its policy shows that each of them would.
    ran, asked = intrusions(browser, bare)
    assert ran == {*INTRUDERS} - {"image", "object"}
    assert asked >= {"script.js", "pixel.png", "thing"}


def test_search_theme_and_filters_break_no_policy(visit: Visit) -> None:
    """A visit hears of violations; test_browser.py makes one to each kind of page."""
    page = visit.open("list/")
    box = page.get_by_role("searchbox", name="Filter by word")
    box.fill("spline")
    box.press("Enter")
    page.locator("h1").click()
    page.keyboard.press("/")
    page.keyboard.type("coupling")
    expect(page.locator(".md-search-result__item").first).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_title("Switch to dark mode").locator("visible=true").click()
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", "slate")


def test_a_visit_hears_of_violations(
    browser: Browser, tampered: tuple[str, str]
) -> None:
    visit = Visit(browser.new_page(), "")
    visit.open(tampered[0])
    heard = [fault for fault in visit.faults if "Content Security Policy" in fault]
    assert len(heard) >= 7
    visit.page.close()
