"""The reference names all that can be imported, and says the same of each."""

from __future__ import annotations

import re
from urllib.parse import urldefrag

import pytest
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import expect

from scripts.base.project import ROOT, read_project
from scripts.papers import implemented
from scripts.site.reference import Reference, read
from tests.support.visit import PHONE, Visit

PROJECT = read_project()
PAGES = ("builders", "core", "maps")


@pytest.fixture(scope="module")
def reference() -> Reference:
    return read(ROOT, implemented(ROOT / "implementations"))


@pytest.fixture(scope="module")
def described(pages: dict[str, str]) -> dict[str, Tag]:
    """Path of each object on the three pages → what is said of it."""
    found: dict[str, Tag] = {}
    for name in PAGES:
        page = BeautifulSoup(pages[f"reference/{name}/"], "html.parser")
        for heading in page.select("h3.doc-heading"):
            assert heading.parent
            found[str(heading["id"])] = heading.parent
    return found


def test_builders_maps_and_conditioners_are_found(reference: Reference) -> None:
    builders = {each.name for all in reference.builders.values() for each in all}
    assert builders > {"nice", "real_nvp_vector", "maf", "nsf_autoregressive", "glow"}
    assert not builders & {"couplings", "alternate", "digits_maf", "mixture_made"}
    assert {each.name for each in reference.maps} >= {"Shift", "Affine", "Spline"}
    assert {each.name for each in reference.conditioners} >= {
        *("Coupling", "Autoregressive", "MaskedCoupling", "ChannelCoupling")
    }


@pytest.mark.published
def test_all_that_is_found_is_described(
    reference: Reference, described: dict[str, Tag]
) -> None:
    builders = [each for all in reference.builders.values() for each in all]
    for each in (*builders, *reference.maps, *reference.conditioners):
        assert each.path in described
    for name in ("flow.Flow", "flow.StandardNormal", "fit.fit"):
        assert f"implementations.core.{name}" in described
    for name in ("Bijection", "Compose", "Inverse", "Univariate"):
        assert f"implementations.core.bijection.{name}" in described


@pytest.mark.published
def test_each_object_says_shapes_errors_source_and_shows_an_example(
    described: dict[str, Tag],
) -> None:
    for path, section in described.items():
        facts = section.select_one("dl.facts")
        assert facts, path
        labels = {label.text for label in facts.find_all("dt")}
        assert labels >= {"Shapes", "Raises", "Source"}, path
        signature, *example = [code.text for code in section.select("pre")][:2]
        assert re.match(rf"{path.rpartition('.')[2]}\(", signature), path
        assert example and "implementations" in example[0], path


@pytest.mark.published
def test_the_source_leads_to_the_definition(described: dict[str, Tag]) -> None:
    for path, section in described.items():
        links = [str(link["href"]) for link in section.select("dl.facts a")]
        (link,) = [each for each in links if each.startswith(PROJECT.repo_url)]
        file, lines = urldefrag(link.removeprefix(PROJECT.blob("")))
        first, last = (int(line) for line in lines.replace("L", "").split("-"))
        source = (ROOT / file).read_text("utf-8").splitlines()[first - 1 : last]
        name = path.rpartition(".")[2]
        assert re.search(rf"(?m)^(def|class) {name}\b", "\n".join(source)), path


@pytest.mark.published
def test_types_lead_to_what_describes_them(described: dict[str, Tag]) -> None:
    nsf = described["implementations.nsf.nsf"].select_one("pre")
    assert nsf and nsf.text.endswith("context: int = 0,\n) -> Flow")
    links = [str(link["href"]) for link in nsf.find_all("a")]
    assert links == ["../core/#implementations.core.flow.Flow"]


def test_readme_leads_to_the_reference() -> None:
    use = (ROOT / "README.md").read_text("utf-8").partition("Use it yourself")[2]
    assert PROJECT.page("reference/") in use


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("word", "anchor"),
    [
        ("nsf_autoregressive", "implementations.nsf.nsf_autoregressive"),
        ("rsample_and_log_prob", "implementations.core.flow.Flow.rsample_and_log_prob"),
    ],
)
def test_the_search_finds_a_name(visit: Visit, word: str, anchor: str) -> None:
    page = visit.open("")
    page.keyboard.press("/")
    page.keyboard.type(word)
    found = page.locator(f".md-search-result__link[href*='#{anchor}']")
    expect(found.first).to_be_attached()
    page.goto(str(found.first.get_attribute("href")))
    expect(page.locator(f"[id='{anchor}']")).to_be_in_viewport()


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_a_phone(visit: Visit, name: str) -> None:
    visit.page.set_viewport_size(PHONE)
    page = visit.open(f"reference/{name}/")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
