"""The site as it lies in its folder."""

from __future__ import annotations

import json
import re
from collections import Counter
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest

from scripts.base.project import ROOT, read_project
from scripts.catalogue import Catalogue
from scripts.exports import EXPORTS
from tests.site.conftest import Built
from tests.support.building import contents
from tests.support.html import Parsed

pytestmark = pytest.mark.published

PROJECT = read_project()


def test_the_build_says_nothing_worse_than_info(built: Built) -> None:
    lines = (built.run.stdout + built.run.stderr).splitlines()
    assert [line for line in lines if not line.startswith("INFO")] == []


def test_every_link_and_anchor_leads_somewhere(
    pages: dict[str, str], built: Built
) -> None:
    ids = {path: set(Parsed(html).ids) for path, html in pages.items()}
    dead = [
        f"{path}: {link}"
        for path, html in pages.items()
        for link in Parsed(html).links
        if not leads_somewhere(urljoin(PROJECT.page(path), link), ids, built.site)
    ]
    assert dead == []


def leads_somewhere(address: str, ids: dict[str, set[str]], site: Path) -> bool:
    if not address.startswith(PROJECT.page("")):
        return urlsplit(address).scheme == "https"
    page, anchor = urldefrag(address.removeprefix(PROJECT.page("")))
    page = page.partition("?")[0]
    if page in ids:
        return not anchor or unquote(anchor) in ids[page]
    return (site / page).is_file()


def test_the_link_check_finds_dead_ones(built: Built) -> None:
    ids = {"": {"here"}}
    root = PROJECT.page("")
    assert leads_somewhere(f"{root}#here", ids, built.site)
    assert leads_somewhere(f"{root}feed.xml", ids, built.site)
    for dead in ("#there", "papers/none/", "nothing.png", "list/#nice"):
        assert not leads_somewhere(root + dead, ids, built.site), dead
    assert not leads_somewhere("http://example.org", ids, built.site)


def test_ids_are_unique_on_each_page(pages: dict[str, str]) -> None:
    for path, html in pages.items():
        twice = [id for id, n in Counter(Parsed(html).ids).items() if n > 1]
        assert twice == [], path


def test_the_list_has_every_entry(pages: dict[str, str], catalogue: Catalogue) -> None:
    page = Parsed(pages["list/"])
    headings = [tag.attributes.get("id") for tag in page.tags if tag.name == "h3"]
    newest = (entry for shelf in catalogue.shelves.values() for entry in shelf[::-1])
    assert headings == [entry.id for entry in newest]
    for entry in catalogue.entries:
        assert entry.title in page.text
        assert str(entry.authors[0]) in page.text


def test_each_publication_has_a_page(
    pages: dict[str, str], catalogue: Catalogue
) -> None:
    for paper in catalogue.publications:
        page = Parsed(pages[f"papers/{paper.id}/"])
        assert paper.title in page.text
        assert paper.url in page.links
        assert f"{{{paper.id}," in page.text  # its BibTeX
        notebook = f"../../notebooks/{paper.id}/"
        # Beside the one that every page has in its navigation.
        assert (f'href="{notebook}"' in article(pages[f"papers/{paper.id}/"])) == (
            paper.implemented
        )


def article(html: str) -> str:
    """Return what is particular to the page."""
    return html.partition("<article")[2].rpartition("</article>")[0]


def test_a_paper_shows_what_explains_and_implements_it(
    pages: dict[str, str], catalogue: Catalogue
) -> None:
    for paper in catalogue.publications:
        # An entry may link to another, such as a post to its code.
        page = article(pages[f"papers/{paper.id}/"])
        headings = map(unescape, re.findall(r'<h3><a href="([^"]*)"', page))
        links = {*headings}
        for entry in (*catalogue.videos, *catalogue.blogs, *catalogue.code):
            shown = entry.url in links
            assert shown == (paper.id in entry.papers), (entry.id, paper.id)


def test_the_gallery_shows_every_notebook_by_its_picture(
    pages: dict[str, str], catalogue: Catalogue, built: Built
) -> None:
    gallery = Parsed(article(pages["notebooks/"]))
    implemented = [paper for paper in catalogue.publications if paper.implemented]
    pictures = {tag.attributes["src"] for tag in gallery.tags if tag.name == "img"}
    for paper in implemented:
        notebook = f"../notebooks/{paper.id}/"
        assert notebook in gallery.links
        [picture] = [src for src in pictures if src.startswith(notebook)]
        assert (built.site / "notebooks" / picture).is_file()
        assert f"../{picture}" in Parsed(pages[f"papers/{paper.id}/"]).links
    assert len(pictures) == len(implemented)


def test_every_picture_is_told_in_words(pages: dict[str, str]) -> None:
    for path, html in pages.items():
        for name, attributes in Parsed(article(html)).tags:
            told = name != "img" or attributes.get("alt", "").strip()
            told = told or "data-part" in attributes  # its first part tells of all
            assert told, f"{path}: {attributes['src']}"


def test_each_paper_describes_itself_to_machines(
    pages: dict[str, str], catalogue: Catalogue
) -> None:
    for paper in catalogue.publications:
        head = pages[f"papers/{paper.id}/"].partition("</head>")[0]
        script = head.partition('<script type="application/ld+json">')[2]
        described = json.loads(script.partition("</script>")[0])
        assert described["@type"] == "ScholarlyArticle"
        assert described["headline"] == paper.title
        assert [a["name"] for a in described["author"]] == [*map(str, paper.authors)]
        assert f'rel="canonical" href="{described["url"]}"' in head


def test_an_entry_is_edited_at_its_line(pages: dict[str, str]) -> None:
    lines = (ROOT / "resources.yaml").read_text("utf-8").splitlines()
    for link in Parsed(pages["papers/nsf/"]).links:
        if "resources.yaml#L" in link:
            line = int(link.rpartition("#L")[2])
            assert lines[line - 1].strip() == "- id: nsf"
            return
    pytest.fail("no link to the entry")


def test_papers_stay_out_of_the_navigation(pages: dict[str, str]) -> None:
    navigation = pages[""].partition("<main")[2].partition("<article")[0]
    assert "notebooks/nice/" in navigation
    assert "papers/" not in navigation


@pytest.mark.parametrize("name", EXPORTS)
def test_exports_are_published(built: Built, catalogue: Catalogue, name: str) -> None:
    published = (built.site / name).read_bytes().decode("utf-8")
    assert published == EXPORTS[name](catalogue, PROJECT)


def test_each_page_has_its_own_title(pages: dict[str, str]) -> None:
    titles = Counter(
        html.partition("<title>")[2].partition("</title>")[0]
        for path, html in pages.items()
        if path != "404.html"
    )
    assert [title for title, n in titles.items() if n > 1] == []


def test_no_page_loads_anything_from_elsewhere(pages: dict[str, str]) -> None:
    for path, html in pages.items():
        for name, attributes in Parsed(html).tags:
            loads = attributes.get("src")
            if name == "link" and attributes.get("rel") != "canonical":
                loads = attributes["href"]
            assert not (loads and urlsplit(loads).netloc), f"{path}: {loads}"


def test_the_stylesheet_has_every_rule_and_no_comment(built: Built) -> None:
    served = (built.site / "assets" / "site.css").read_text("utf-8")
    assert "/*" not in served and "*/" not in served
    written = "".join(
        style.read_text("utf-8")
        for style in (ROOT / "docs" / "assets" / "styles").glob("*.css")
    )
    assert served.count("{") == written.count("{") == served.count("}")


def test_only_what_visitors_read_is_published(built: Built) -> None:
    published = contents(built.site)
    assert not [path for path in published if path.startswith("decisions")]
    sources = (".md", ".jinja", "stamps.json")
    assert not [path for path in published if path.endswith(sources)]


def test_the_sitemap_has_every_page_once(built: Built, pages: dict[str, str]) -> None:
    sitemap = Parsed((built.site / "sitemap.xml").read_text("utf-8")).text.split()
    assert sorted(sitemap) == sorted(
        PROJECT.page(path) for path in pages if path != "404.html"
    )
