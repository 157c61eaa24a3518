"""Whatever stands in an entry, the site shows it as it is, and nothing runs.

Two sites of one shape are built: one of hostile texts (`tests.support.payloads`), one
of harmless ones. Each file of the one is held against its twin of the other.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect
from pybtex.database import parse_string

from scripts.catalogue.limits import RESERVED
from tests.site.conftest import Built
from tests.support.hostile import harmless_note
from tests.support.hostile_site import (
    SPECIMENS,
    Site,
    build_site,
    harmless_catalogue,
    hostile_catalogue,
)
from tests.support.payloads import PAYLOADS, TEXT
from tests.support.serving import serving
from tests.support.skeleton import Skeleton
from tests.support.visit import PHONE, Visit

pytestmark = pytest.mark.thorough  # two sites are built for it


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Site]:
    """The hostile site and the harmless one."""
    folders = [tmp_path_factory.mktemp(name) for name in ("hostile", "harmless")]
    catalogues = [hostile_catalogue(), harmless_catalogue()]
    with ThreadPoolExecutor() as pool:
        hostile, harmless = pool.map(build_site, folders, catalogues)
    return hostile, harmless


def html_shape(content: bytes) -> object:
    page = Skeleton(content.decode("utf-8"))
    schemes = {
        address.partition(":")[0] for address in page.addresses if ":" in address
    }
    assert schemes <= {"https"}, schemes
    described = re.findall(
        r'<script type="application/ld\+json">(.*?)</script>', content.decode("utf-8")
    )
    return page.parts, [list(json.loads(text)) for text in described]


def search_shape(content: bytes) -> object:
    """The theme puts titles and texts into the page as HTML."""
    return [
        (doc["location"], Skeleton(doc["title"]).parts, Skeleton(doc["text"]).parts)
        for doc in json.loads(content)
    ]


def json_shape(content: bytes) -> object:
    entries = json.loads(content)["entries"]
    return [(entry["id"], list(entry)) for entry in entries]


def csv_shape(content: bytes) -> object:
    rows = list(csv.reader(io.StringIO(content.decode("utf-8"), newline="")))
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n＝＋－＠"))]
    return [(row[1], len(row)) for row in rows]


def bibtex_shape(content: bytes) -> object:
    entries = parse_string(content.decode("utf-8"), "bibtex").entries
    return [(key, entry.type, sorted(entry.fields)) for key, entry in entries.items()]


def xml_shape(content: bytes) -> object:
    root = ET.fromstring(content)
    contents = (each.text or "" for each in root.iter() if each.get("type") == "html")
    elements = [(each.tag, sorted(each.attrib)) for each in root.iter()]
    return elements, [Skeleton(text).parts for text in contents]


# What is made of the catalogue, and what has to be alike. A new output joins here.
SHAPES: dict[str, Callable[[bytes], object]] = {
    "*.html": html_shape,
    "search/documents.json": search_shape,
    "catalogue.json": json_shape,
    "catalogue.csv": csv_shape,
    "catalogue.bib": bibtex_shape,
    "*.xml": xml_shape,
    "sitemap.xml.gz": lambda content: xml_shape(gzip.decompress(content)),
}


def test_every_file_has_the_shape_of_its_harmless_twin(
    sites: tuple[Site, Site],
) -> None:
    hostile, harmless = (site.files() for site in sites)
    assert list(hostile) == list(harmless)
    held: Counter[str] = Counter()
    for path in hostile:
        if hostile[path] == harmless[path]:
            continue
        patterns = [pattern for pattern in SHAPES if fnmatch(path, pattern)]
        assert patterns, f"say in SHAPES what has to be alike in {path}"
        shape = SHAPES[patterns[0]]
        assert shape(hostile[path]) == shape(harmless[path]), path
        held[patterns[0]] += 1
    assert held["*.html"] > len(SPECIMENS)
    assert set(held) == {*SHAPES} - {"sitemap.xml.gz"}


def test_each_text_is_there_to_be_read(sites: tuple[Site, Site]) -> None:
    texts = {
        path.parent.name: " ".join(Skeleton(path.read_text("utf-8")).text.split())
        for path in sites[0].folder.glob("[lp]*/**/index.html")
    }
    for n, payload in enumerate(SPECIMENS):
        if TEXT in payload.admitted:
            title = " ".join(f"{payload.text} specimen{n}".split())
            assert title in texts[f"p{n}"], title
            assert title in texts["list"], title


@pytest.mark.published
def test_an_id_of_a_page_is_no_entrys(built: Built) -> None:
    page = (built.site / "list" / "index.html").read_text("utf-8")
    entries = set(re.findall(r'<h3 id="(\w+)"', page))
    ids = set(re.findall(r'\bid="([a-z][a-z0-9_]*)"', page)) - entries
    assert ids == RESERVED & ids


@pytest.fixture(scope="module")
def roots(sites: tuple[Site, Site]) -> Iterator[tuple[str, str]]:
    with serving(sites[0].folder) as hostile, serving(sites[1].folder) as harmless:
        yield hostile, harmless


class HostileVisit:
    """A visit on which whatever ran, asked or opened is written down."""

    def __init__(self, browser: Browser, root: str, bypass_csp: bool = False) -> None:
        self.context = browser.new_context(bypass_csp=bypass_csp)
        self.context.set_default_timeout(10_000)
        self.visit = Visit(self.context.new_page(), root)
        self.context.expose_binding("pwned", lambda *_: self.note("pwned() was called"))
        self.page.on("dialog", self._dismiss)
        self.page.on("popup", lambda _: self.note("a window was opened"))
        self.page.on("framenavigated", lambda frame: self._moved(frame.url))

    @property
    def page(self) -> Page:
        return self.visit.page

    def note(self, fault: str) -> None:
        self.visit.faults.append(fault)

    def _dismiss(self, dialog: Dialog) -> None:
        self.note("a dialog")
        dialog.dismiss()

    def _moved(self, address: str) -> None:
        if not address.startswith(self.visit.root):
            self.note(f"led to {address}")


@pytest.fixture
def hostile(browser: Browser, roots: tuple[str, str]) -> Iterator[HostileVisit]:
    watch = HostileVisit(browser, roots[0])
    yield watch
    watch.context.close()
    assert watch.visit.faults == []


ELEMENTS = """() => [...document.querySelectorAll("*")]
  .filter((e) => e.tagName !== "SPAN" || e.attributes.length)
  .filter((e) => !e.matches("bdi, span[dir=auto]"))  // around texts from right to left
  .map((e) => [e.tagName, ...[...e.attributes].map((a) => a.name).sort()])
  // Scripts set these, as the room allows; those in files are held above.
  .map((names) => names.filter((n) => !/^(tabindex|title|style|data-more)$/.test(n)))
  .map((names) => names.join(" "))"""


def elements(page: Page, path: str) -> list[str]:
    page.goto(path, wait_until="load")
    return page.evaluate(ELEMENTS)


@pytest.mark.parametrize("path", ["", "learn/", "list/", "genealogy/", "notebooks/"])
def test_no_script_of_an_entry_runs_and_no_element_of_its_appears(
    hostile: HostileVisit, roots: tuple[str, str], path: str
) -> None:
    harmless = hostile.context.new_page()
    for page, root in zip((hostile.page, harmless), roots, strict=True):
        page.goto(root + path, wait_until="networkidle")

    def now() -> list[list[str]]:
        return [page.evaluate(ELEMENTS) for page in (hostile.page, harmless)]

    found, expected = now()
    # Where scripts of ours are still at work, the two need not be equally far.
    for _ in range(50):
        if found == expected:
            break
        harmless.wait_for_timeout(100)
        found, expected = now()
    assert found == expected


# Those that would do something where they ran; the others have their twins above.
ACTIVE = [n for n, p in enumerate(SPECIMENS) if re.search("pwned|elsewhere", p.text)]


@pytest.mark.parametrize(
    "numbers",
    [ACTIVE, pytest.param([*range(len(SPECIMENS))], marks=pytest.mark.long)],
    ids=["active", "all"],
)
def test_no_paper_runs_a_script_or_brings_an_element(
    hostile: HostileVisit, roots: tuple[str, str], numbers: list[int]
) -> None:
    harmless = hostile.context.new_page()
    twins: dict[object, list[str]] = {}
    for n in numbers:
        payload = SPECIMENS[n]
        kind = payload.admitted, harmless_note(payload)
        if kind not in twins:
            twins[kind] = elements(harmless, f"{roots[1]}papers/p{n}/")
        found = elements(hostile.page, f"{roots[0]}papers/p{n}/")
        assert found == twins[kind], payload
        assert hostile.visit.faults == [], payload


# A filter that is on has a button: a name and no elements.
NUMBER = "document.querySelectorAll(':not(.chips > button)').length"


def test_whatever_the_address_of_a_view_says_is_a_word(hostile: HostileVisit) -> None:
    page = hostile.page
    page.goto(f"{hostile.visit.root}list/")
    before = page.evaluate(NUMBER)
    page.evaluate(
        """(texts) => {
          for (const text of texts) {
            const query = new URLSearchParams();
            for (const name of ["q", "tag", "kind", "framework", "sort", text]) {
              query.append(name, text);
            }
            history.replaceState(null, "", `?${query}#${encodeURIComponent(text)}`);
            dispatchEvent(new PopStateEvent("popstate"));
          }
        }""",
        [payload.text for payload in SPECIMENS],
    )
    assert page.evaluate(NUMBER) == before


def test_the_search_shows_texts_only(
    hostile: HostileVisit, roots: tuple[str, str]
) -> None:
    harmless = hostile.context.new_page()
    found, expected = searched(hostile.page, roots[0]), searched(harmless, roots[1])
    assert len(found) > 100
    assert {*found} == {*expected}


def searched(page: Page, root: str) -> list[str]:
    """Search for the word that all titles have; return the results' elements."""
    page.goto(root)
    page.keyboard.press("/")
    page.locator(".md-search__input").fill("specimen")
    page.keyboard.type("*")
    results = page.locator(".md-search-result__item")
    expect(results.nth(9)).to_be_visible()
    # More are shown as one scrolls.
    page.locator(".md-search__scrollwrap").evaluate("e => e.scrollTo(0, 1e6)")
    expect(results.nth(13)).to_be_attached()
    return page.evaluate(ELEMENTS.replace('"*"', '".md-search-result__list *"'))


LONG_WORD = SPECIMENS.index(PAYLOADS["long word"])


@pytest.mark.parametrize("path", ["", "list/", f"papers/p{LONG_WORD}/"])
def test_a_long_word_breaks_no_page(hostile: HostileVisit, path: str) -> None:
    hostile.page.set_viewport_size(PHONE)
    hostile.visit.open(path)
    width = hostile.page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]


def test_a_watch_sees_what_runs(
    browser: Browser, sites: tuple[Site, Site], roots: tuple[str, str]
) -> None:
    """Were an escape forgotten, the policy would hold it up, and be heard of."""
    page = sites[0].folder / "index.html"
    whole = page.read_text("utf-8")
    protected = HostileVisit(browser, roots[0])
    bare = HostileVisit(browser, roots[0], bypass_csp=True)
    try:
        for text in ("handler", "script", "focus", "details"):
            page.write_text(whole.replace("</h1>", PAYLOADS[text].text + "</h1>"))
            assert_seen(protected, "Content Security Policy")
            assert_seen(bare, "pwned() was called")
    finally:
        page.write_text(whole, "utf-8")
    for watch in (protected, bare):
        watch.context.close()


def assert_seen(watch: HostileVisit, fault: str) -> None:
    watch.visit.faults.clear()
    watch.visit.open("")
    watch.page.wait_for_timeout(100)
    assert any(fault in each for each in watch.visit.faults), watch.visit.faults
