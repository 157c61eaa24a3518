"""The report says what to do and where, and no address in it means more than itself."""

from __future__ import annotations

import datetime
import re

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from scripts.links import report
from scripts.links.history import Record, key
from scripts.links.places import Broken, LinkPlace, Places
from tests.scripts.links.conftest import PROJECT, START

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough", "linkify"])
MARKDOWN.options["linkify"] = False


def record(url: str, state: str = "unknown", **fields: object) -> Record:
    known = {"url": url, "state": state, "why": "404", "since": START}
    return Record.model_validate(known | fields)


def render(*records: Record, **places: object) -> str:
    history = {each.url: each for each in records}
    known = Places(**places)  # type: ignore[arg-type]
    for each in records:
        known.add(each.url, LinkPlace(entry="nice"))
    return report.render(history, known, PROJECT, {"nice": 12})


def inline(text: str) -> list[Token]:
    return [child for block in MARKDOWN.parse(text) for child in block.children or ()]


def test_groups_come_in_the_order_of_what_there_is_to_do() -> None:
    day = datetime.timedelta(days=7)
    text = render(
        record("https://a/503", why="503"),
        record("https://a/moved", "alive", moved="https://b/new"),
        record("https://a/once", gone=START),
        record("https://a/dead", "dead", gone=START, since=START + day),
        broken=[Broken("missing/", "list/")],
    )
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == [
        *("Dead (1)", "Suspected (1)", "Moved (1)", "Unknown (1)"),
        "Broken within the project (1)",
    ]
    where = (
        "in `nice` "
        "([resources.yaml:12](https://github.com/me/flows/blob/main/resources.yaml#L12))"
    )
    assert (
        f"- [`https://a/dead`](https://a/dead): 404 since Nov 23, 2026, {where}, "
        "[archived copies](https://web.archive.org/web/*/https://a/dead)\n"
    ) in text
    assert f"to [`https://b/new`](https://b/new), {where}\n" in text
    assert "- `missing/`, on the page `list/`\n" in text
    assert text.startswith("4 addresses, 0 of them as they should be.\n")


def test_where_all_is_well_nothing_is_grouped() -> None:
    assert "##" not in render()


HOSTILE = [
    "https://a/`@everyone`",
    "https://a/](https://evil/)[x",
    "https://a/<script>alert(1)</script>",
    "https://a/<img/src=x/onerror=alert(1)>",
    "https://a/|b|c",
    "https://a/@team/fixes/#1",
    "https://a/)[x](javascript:alert(1)",
    "https://a/\\`x",
    "https://a/&lt;b&gt;&#64;team",
    "https://a/%60@all%60",
    "https://a/'\"--><!--",
    "https://a/``````",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_addresses_are_inert(url: str) -> None:
    dead = record(key(url), "dead", gone=START)
    moved = record("https://a/", "alive", moved=url)
    text = render(dead, moved, broken=[Broken(url, url)])
    tame = render(
        record("https://a/b", "dead", gone=START),
        record("https://a/", "alive", moved="https://a/b"),
        broken=[Broken("https://a/b", "https://a/b")],
    )
    assert [token.type for token in inline(text)] == [t.type for t in inline(tame)]
    for token in inline(text):
        if token.type == "link_open":
            href = str(token.attrs["href"])
            assert href.startswith(("https://a/", "https://web.", PROJECT.repo_url))
        # Outside of code, GitHub would call people and refer to issues.
        assert token.type == "code_inline" or not re.search("[@#]", token.content)


@pytest.mark.parametrize("page", ["a\u202eb", "a\nb", " ", "x" * 300, "`" * 50])
def test_pages_have_any_names(page: str) -> None:
    text = render(broken=[Broken("x", page)])
    assert [token.type for token in inline(text)].count("code_inline") == 2
    assert text.isascii() and len(text.splitlines()) == 7


def test_a_reason_is_text() -> None:
    text = render(record("https://a/", why="oEmbed: *sent* <b>, not json"))
    tame = render(record("https://a/", why="oEmbed: sent b, not json"))
    assert [token.type for token in inline(text)] == [t.type for t in inline(tame)]


def test_a_long_report_fits_an_issue() -> None:
    many = [record(f"https://a/{n:05}", "dead", gone=START) for n in range(3_000)]
    text = render(*many)
    assert len(text) < 65_536
    shown = text.count("\n- ")
    assert f"And {3_000 - shown} more, which `make links` lists." in text
    assert text.startswith("3000 addresses")
