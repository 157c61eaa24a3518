"""Texts that run from right to left leave the rest of their line where it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scripts import readme
from scripts.base.text import (
    escape_markdown,
    html,
    html_note,
    html_people,
    markdown_note,
)
from scripts.catalogue import Catalogue
from scripts.exports import to_atom
from scripts.site import pages as site
from tests.support.bad import GOOD
from tests.support.editions import edition_of
from tests.support.hostile import PROJECT

TITLE, NAME, LAB, LABEL = "זרימות (2017) ABC", "مريم ميرزاخاني", "מעבדה", "קוד"
NOTE = f"ראו [{LABEL}](https://example.org/x), `x` <3."


@pytest.fixture
def catalogue(load_text: Callable[[str], Catalogue]) -> Catalogue:
    text = GOOD.replace("title: Masked Flow", f"title: {TITLE}")
    text = text.replace("[Iain Murray]", f"[Iain Murray, {NAME}]")
    text = text.replace("affiliation: Lab", f"affiliation: {LAB}")
    text = text.replace("2017-05-19", f"2017\n    links: {{{LABEL}: https://x.org}}")
    return load_text(text.replace("Stacks.", f'"{NOTE}"'))


def test_readme(catalogue: Catalogue) -> None:
    def auto(text: str) -> str:
        return f'<span dir="auto">{text}</span>'

    page = readme.render(catalogue, PROJECT)
    line = (
        f"\n- 2017 - [{auto(TITLE)}](https://arxiv.org/abs/1705.07057) by Iain Murray "
        f"and {auto(NAME)} ({auto(LAB)}). "
    )
    note = f"ראו [{auto(LABEL)}](https://example.org/x), `x` &lt;3."
    assert f"{line}{auto(note)} [{auto(LABEL)}](https://x.org). [Impl" in page
    assert page.count("<span dir=") == 6


def test_the_site(catalogue: Catalogue) -> None:
    papers = catalogue.publications
    wanted = [paper.model_copy(update={"implementation": "wanted"}) for paper in papers]
    pages = site.generated(
        edition_of(catalogue.model_copy(update={"publications": wanted}))
    )
    assert f'"><bdi>{TITLE}</bdi></a>' in pages["list.md"]
    byline = f"2017 · Iain Murray and <bdi>{NAME}</bdi> (<bdi>{LAB}</bdi>)"
    label = f'<a href="https://x.org"><bdi>{LABEL}</bdi></a>'
    for path in ("list.md", "papers/maf.md"):
        assert byline in pages[path], path
    assert label in pages["list.md"]
    assert f'# <span dir="auto">{TITLE}</span> {{ #paper }}' in pages["papers/maf.md"]
    assert (
        "bdi" not in pages["papers/nice.md"] and "dir=" not in pages["papers/nice.md"]
    )


def test_the_feed(catalogue: Catalogue) -> None:
    feed = to_atom(catalogue, PROJECT)
    assert f"<title>{TITLE}</title>" in feed
    assert f"Iain Murray and &lt;bdi&gt;{NAME}&lt;/bdi&gt; · 2017&lt;/p&gt;" in feed
    assert f"&gt;&lt;bdi&gt;{TITLE}&lt;/bdi&gt;&lt;/a&gt;" in feed


@pytest.mark.parametrize("text", ["Flows", "Čech & 流れ <3 – ∇·v = 0", "👩 नमस्ते"])
def test_other_texts_are_left_alone(text: str) -> None:
    for written in (html(text), html_note(text), html_people([text, text])):
        assert "bdi" not in written
    for written in (escape_markdown(text), markdown_note(text)):
        assert "dir=" not in written


def test_what_is_isolated_is_escaped() -> None:
    assert html("<b>א") == "<bdi>&lt;b&gt;א</bdi>"
    assert html_people(["<i>", "א"]) == "&lt;i&gt; and <bdi>א</bdi>"
    assert html_note("א [<b>](https://example.org)") == (
        '<bdi>א <a href="https://example.org">&lt;b&gt;</a></bdi>'
    )
    assert escape_markdown("# א <b>") == '<span dir="auto">\\# א &lt;b></span>'
