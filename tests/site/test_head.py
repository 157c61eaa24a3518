"""A page's head tells other sites, feed readers and home screens of it."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from urllib.parse import urljoin

import pytest
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Browser

from scripts.base.project import ROOT, read_project
from scripts.catalogue import Catalogue
from scripts.site import cards
from scripts.site.cards import Card
from tests.site.conftest import Built
from tests.support.building import build
from tests.support.html import Parsed, Tag

PROJECT = read_project()


def head(html: str) -> list[Tag]:
    return Parsed(html.partition("</head>")[0]).tags


def told(html: str) -> dict[str, str]:
    """The page's metadata: property or name → content."""
    return {
        tag.attributes.get("property") or tag.attributes.get("name", ""): (
            tag.attributes["content"]
        )
        for tag in head(html)
        if tag.name == "meta" and "content" in tag.attributes
    }


def announced(html: str, relation: str) -> dict[str, str]:
    """Address → type of what the head links to."""
    return {
        tag.attributes["href"]: tag.attributes.get("type", "")
        for tag in head(html)
        if tag.name == "link" and tag.attributes.get("rel") == relation
    }


@pytest.mark.published
def test_every_page_has_a_card_of_the_size_it_says(
    pages: dict[str, str], built: Built
) -> None:
    for path, html in pages.items():
        said = told(html)
        assert said["og:title"] and said["og:description"], path
        assert said["og:image:alt"].endswith("."), path
        assert said["twitter:card"] == "summary_large_image", path
        assert said["og:image"].startswith(PROJECT.page("assets/cards/")), path
        file = built.site / said["og:image"].removeprefix(PROJECT.page(""))
        size = struct.unpack(">II", file.read_bytes()[16:24])
        assert size == (int(said["og:image:width"]), int(said["og:image:height"]))
        if path != "404.html":
            assert said["og:url"] == PROJECT.page(path)
            assert [*announced(html, "canonical")] == [PROJECT.page(path)]


@pytest.mark.published
def test_papers_with_a_notebook_have_their_own_card_and_others_share_one(
    pages: dict[str, str], catalogue: Catalogue, built: Built
) -> None:
    shared = told(pages[""])["og:image"]
    own = {
        told(pages[f"papers/{paper.id}/"])["og:image"]
        for paper in catalogue.publications
        if paper.implemented
    }
    implemented = [p for p in catalogue.publications if p.implemented]
    assert len(own - {shared}) == len(implemented)
    papers = f"{len(implemented)} of the {len(catalogue.publications)} papers run here"
    assert papers in told(pages[""])["og:description"]
    for paper in implemented:
        said = told(pages[f"papers/{paper.id}/"])
        assert said["og:title"] == paper.title
        assert said["og:type"] == "article"
        assert paper.title in said["og:image:alt"]
        assert told(pages[f"notebooks/{paper.id}/"])["og:image"] == said["og:image"]
    assert told(pages["list/"])["og:image"] == shared
    assert told(pages["list/"])["og:type"] == "website"
    drawn = {path.name for path in (built.site / "assets" / "cards").iterdir()}
    assert drawn == {address.rpartition("/")[2] for address in own | {shared}}


@pytest.mark.thorough
def test_a_card_is_drawn_once_and_again_when_it_changes(project: Path) -> None:
    kept = project / ".cache" / "cards"
    before = {path.name: path.stat().st_mtime_ns for path in kept.iterdir()}
    catalogue = project / "resources.yaml"
    text = catalogue.read_text("utf-8")
    catalogue.write_text(text.replace("Neural Spline Flows", "Nürnberg Flows"), "utf-8")
    assert build(project, project / "site").returncode == 0
    after = {path.name: path.stat().st_mtime_ns for path in kept.iterdir()}
    assert before.items() < after.items()
    assert len(after) == len(before) + 1


def card(title: str, byline: str = "Ada Lovelace, 1843") -> Card:
    picture = io.BytesIO()
    Image.new("RGBA", (300, 100), "#2b62c980").save(picture, "PNG")
    return Card(title, byline, picture.getvalue(), "A box.", "The site")


@pytest.mark.parametrize(
    "title",
    [
        "β",
        "Ein sehr langer Titel, der über viele Zeilen ginge. " * 6,
        "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 3,
        "<script>&amp;</script>",
    ],
)
def test_whatever_the_title_it_stays_on_its_card(title: str) -> None:
    with Image.open(io.BytesIO(cards.draw(card(title, title)))) as drawn:
        image = drawn.convert("RGB")
    assert image.size == cards.SIZE
    margin = image.crop((0, cards.BAND, cards.MARGIN - 4, cards.HEIGHT))
    right = image.crop((cards.WIDTH - cards.MARGIN + 4, cards.BAND, *cards.SIZE))
    below = image.crop((0, cards.HEIGHT - 20, *cards.SIZE))
    for edge in (margin, right, below):
        assert len(edge.getcolors() or []) == 1, "nothing but paper"
    assert len(image.getcolors(10_000) or []) > 10


def test_letters_without_a_glyph_are_noticed() -> None:
    assert card("Élan, Ångström, β-flows – in Đà Nẵng").legible
    assert not card("正規化フロー").legible
    assert not card("Flows", "王, 2019").legible


def test_the_same_card_has_the_same_name_and_another_another() -> None:
    first = card("A")
    assert cards.name_of(first) == cards.name_of(card("A"))
    others = [card("B"), card("A", "B"), first._replace(picture=b"x")]
    assert len({cards.name_of(each) for each in (first, *others)}) == 4


@pytest.mark.published
def test_the_feed_is_announced_everywhere_and_exports_where_the_list_is(
    pages: dict[str, str],
) -> None:
    for path, html in pages.items():
        feeds = {
            urljoin(PROJECT.page(path), address)
            for address, type in announced(html, "alternate").items()
            if type == "application/atom+xml"
        }
        assert feeds == {PROJECT.page("feed.xml")}, path
    types = {"application/json", "application/x-bibtex", "text/csv"}
    for path in ("", "list/", "exports/"):
        assert types < {*announced(pages[path], "alternate").values()}


def test_icons_are_announced_and_there(pages: dict[str, str], built: Built) -> None:
    html = pages["papers/nice/"]
    icons = {**announced(html, "icon"), **announced(html, "apple-touch-icon")}
    assert {Path(address).name for address in icons} == {
        *("logo.svg", "icon-32.png", "icon-180.png")
    }
    for address in icons:
        assert (built.site / "papers" / "nice" / address).resolve().is_file()


def test_icons_look_like_the_logo(browser: Browser) -> None:
    logo = (ROOT / "docs" / "assets" / "logo.svg").read_text("utf-8")
    page = browser.new_page(viewport={"width": 180, "height": 180})
    page.set_content(
        f"<style>body {{margin: 24px}} svg {{display: block}}</style>{logo}"
    )
    with Image.open(io.BytesIO(page.screenshot())) as opened:
        seen = opened.convert("RGB")
    page.close()
    icon = ROOT / "docs" / "assets" / "figures" / "icon-180.png"
    with Image.open(icon) as opened:
        drawn = opened.convert("RGB")
    difference = ImageStat.Stat(ImageChops.difference(seen, drawn))
    # Each smooths edges in its own way; without the logo it would be ten times this.
    assert max(difference.mean) < 2
