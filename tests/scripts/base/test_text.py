"""Whatever a text holds, it is read as itself by both readers of Markdown."""

import re
from collections.abc import Callable
from string import punctuation
from urllib.parse import unquote

import markdown
import pytest
from bs4 import BeautifulSoup, Tag
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from scripts.base.text import (
    Span,
    escape_markdown,
    html_note,
    markdown_note,
    markdown_url,
    people,
    plain,
    spans,
)

# More than the site uses today: a new extension must not turn titles into syntax.
EXTENSIONS = [
    "abbr",
    "admonition",
    "attr_list",
    "def_list",
    "footnotes",
    "md_in_html",
    "tables",
    "toc",
    "pymdownx.arithmatex",
    "pymdownx.betterem",
    "pymdownx.details",
    "pymdownx.emoji",
    "pymdownx.magiclink",
    "pymdownx.superfences",
    "pymdownx.tasklist",
    "pymdownx.tilde",
]

Render = Callable[[str], str]


PYTHON_MARKDOWN = markdown.Markdown(extensions=EXTENSIONS)
GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def python_markdown(text: str) -> str:
    return PYTHON_MARKDOWN.reset().convert(text)


def github(text: str) -> str:
    return GITHUB.render(text)


READERS = [python_markdown, github]

NASTY = [
    *punctuation,
    *(f"{mark * 3} x" for mark in punctuation),
    *(f"x{mark * 2}y{mark * 2}" for mark in punctuation),
    "# heading", "## heading ##", "C#", "C##", "#", "- item", "+ item", "* item",
    "1. item", "12) item", "2019. A year", "> quote", "    code", "\tcode", "---",
    "===", "```python", "~~~", "!!! note", "??? note", "??? note \"x\"", "[TOC]",
    "[ ] task", ": definition", "*[x]: y", "[x]: https://example.org", "[^1]: note",
    "*a* **b** _c_ __d__ ~~e~~ ***f***", "a_b_c and _d_e_", "snake_case", "__init__",
    "[a](https://example.org)", "![a](https://example.org/a.png)", "[a][b]", "[a]",
    "a](https://example.org) [b", "]", "[[wiki]]", "wow!", "a \\] b \\[ c",
    "<b>x</b>", "<script>alert(1)</script>", "<!-- x -->", "<https://example.org>",
    "</a>", "<div markdown='1'>", "<?php ?>", "<![CDATA[x]]>", "a < b > c", "<", "x<y",
    "&amp; &lt; &#36; &#x24; &nbsp;", "AT&T", "&copy", "&", "&#", "&a;",
    "`code`", "``a`b``", "`", "a ` b", "\\`x\\`",
    "$x$", "$$x$$", "$`x`$", "costs $5 and $6", "\\(x\\)", "\\[x\\]", "\\[ x \\]",
    "\\begin{align}x\\end{align}", "\\", "\\\\", "a\\", "\\alpha", "\\_",
    "{: .red }", "x {.red}", "{#id}", "{{ x }}", "{% x %}", "}", "{",
    "| a | b |", "|---|", "a|b", "\\|",
    "https://example.org", "see http://example.org/a_b_c.", "www.example.org",
    "WWW.example.org", "ada@example.org", "@ada", "#123", ":tada:", ":+1:", "10:30:00",
    "ftp://x", "mailto:ada@example.org", "://", "a:b:c", "::", ":::",
    "https://&#\\", "x@.a.b", "x@-@y",
    "a\nb", "a\n\nb", "a\n# b", "a\n---", "a  \nb", " a ", "é ü σ × – … “x”",
]  # fmt: skip

visible = st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])
syntax = st.sampled_from(
    [*"\\`*_{}[]()<>#+-.!|~$&:;=?@^/'\" \n", "https://", "www.", "x"]
)
texts = st.lists(syntax | visible, min_size=1, max_size=12).map("".join)
few = settings(max_examples=150, derandomize=True, deadline=None)


def words(text: str) -> str:
    return " ".join(text.split())


def rendered(render: Render, text: str) -> BeautifulSoup:
    """The rendered text; GitHub finds nothing in it, and our own spans are gone."""
    soup = BeautifulSoup(render(text), "html.parser")
    for string in soup.find_all(string=True):
        inside = string.parent
        assert inside is not None
        assert inside.name == "code" or not FOUND_BY_GITHUB.search(string), string
    for span in soup.find_all("span", attrs={"class": False}):
        span.unwrap()
    return soup


# What GitHub looks for in text that is rendered already.
FOUND_BY_GITHUB = re.compile(
    r"\$.*\$|:[a-z0-9_+-]+:|(?i:https?|ftp)://|(?<!\w)(?i:www)\.\w|\w@\w"
)


def tags(soup: BeautifulSoup) -> list[str]:
    return [tag.name for tag in soup.find_all(True)]


def first(soup: BeautifulSoup, name: str) -> Tag:
    tag = soup.find(name)
    assert tag is not None
    return tag


def check_entry(render: Render, text: str) -> None:
    """Nothing but the text stands where the README writes titles, names and notes."""
    source = (
        f"- Oct 30, 2014 - [{escape_markdown(text)}](https://example.org/) "
        f"by {escape_markdown(text)}.\n\n    > {escape_markdown(text)}\n\n- last\n"
    )
    soup = rendered(render, source)
    assert tags(soup) == ["ul", "li", "p", "a", "blockquote", "p", "li", "p"]
    assert words(first(soup, "a").text) == words(text)
    assert words(first(soup, "p").text) == words(
        f"Oct 30, 2014 - {text.strip()} by {text}."
    )
    assert words(first(soup, "blockquote").text) == words(text)


def check_page(render: Render, text: str) -> None:
    """Nothing but the text stands where the site writes headings and tables."""
    escaped = escape_markdown(text)
    lines = ["## {}", "{}", "Before\n{}", "| a |\n|---|\n| {} |"]
    soup = rendered(render, "\n\n".join(lines).replace("{}", escaped))
    table = ["table", "thead", "tr", "th", "tbody", "tr", "td"]
    assert tags(soup) == ["h2", "p", "p", *table]
    paragraph, second = soup.find_all("p")
    assert words(second.text) == words(f"Before {text}")
    for element in (first(soup, "h2"), paragraph, first(soup, "td")):
        assert words(element.text) == words(text)


@pytest.mark.parametrize("render", READERS)
@pytest.mark.parametrize("text", NASTY)
def test_an_escaped_text_is_read_as_itself(text, render):
    check_entry(render, text)
    check_page(render, text)


@pytest.mark.parametrize("render", READERS)
@few
@given(texts.filter(words))
def test_any_escaped_text_is_read_as_itself(render, text):
    check_entry(render, text)
    check_page(render, text)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("What are Normalizing Flows?", "What are Normalizing Flows?"),
        (
            "NICE: 1x1 & (more), 50% – σ/2 = 3.5!?",
            "NICE: 1x1 & (more), 50% – σ/2 = 3.5!?",
        ),
        ("normalizing_flows_overview.ipynb", "normalizing_flows_overview.ipynb"),
        ("pytorch-flows", "pytorch-flows"),
        ("AT&T, @ada, #1 > #2", "AT&T, @ada, #1 > #2"),
        ("a*b", "a\\*b"),
        ("[draft] <x>", "&#91;draft&#93; &lt;x>"),
        ("$5", "<span>&#36;</span>5"),
    ],
)
def test_the_source_stays_readable(text, escaped):
    assert escape_markdown(text) == escaped


NOTE = (
    "In [Part 2](https://a.org/b_(c)), `planar*10` is [x] `not` a `` link](https://b)."
)


def test_a_note_is_text_links_and_code():
    assert spans(NOTE) == [
        Span("In "),
        Span("Part 2", "link", "https://a.org/b_(c)"),
        Span(", "),
        Span("planar*10", "code"),
        Span(" is [x] "),
        Span("not", "code"),
        Span(" a `` link](https://b)."),
    ]
    assert spans("") == []


def test_a_note_in_plain_words():
    assert plain(NOTE) == ("In Part 2, planar*10 is [x] not a `` link](https://b).")


def test_a_note_as_html():
    note = '[a & b](https://a.org/?b=1&c=2) `<b>` "<i>" [x](javascript:alert) <b>'
    assert html_note(note) == (
        '<a href="https://a.org/?b=1&amp;c=2">a &amp; b</a> <code>&lt;b&gt;</code> '
        "&#34;&lt;i&gt;&#34; [x](javascript:alert) &lt;b&gt;"
    )


def test_a_note_as_markdown():
    note = "[a_b *c*](https://a.org/b_(c)?d=$) `x_y*` `<b>` and a_b *c*"
    assert markdown_note(note) == (
        "[a_b \\*c\\*](https://a.org/b_%28c%29?d=%24) `x_y*` <code>&lt;b></code> "
        "and a_b \\*c\\*"
    )
    assert markdown_note("Wow![a](https://a.org)") == "Wow\\![a](https://a.org)"


links = st.sampled_from(
    ["https://a.org", "https://a.org/b_(c)", "https://a.org/?x=&lt;$y$*"]
)
labels = texts.filter(lambda text: words(text) and not set(text) & set("[]`"))
codes = texts.filter(lambda text: words(text) and "`" not in text)
pieces = st.one_of(
    texts.filter(lambda text: not set(text) & set("[]`")),
    st.builds("[{}]({})".format, labels, links),
    st.builds("`{}`".format, codes),
)
notes = st.lists(pieces, min_size=1, max_size=5).map("".join).filter(words)


@pytest.mark.parametrize("render", READERS)
@few
@given(notes)
def test_any_note_renders_its_links_and_code_and_nothing_else(render, note):
    soup = rendered(render, f"- x\n\n    > {markdown_note(note)}\n")
    kinds = {"link": "a", "code": "code"}
    expected = [kinds[span.kind] for span in spans(note) if span.kind in kinds]
    assert tags(soup) == ["ul", "li", "p", "blockquote", "p", *expected]
    assert words(first(soup, "blockquote").text) == words(plain(note))
    targets = [unquote(str(a["href"])) for a in soup.find_all("a")]
    assert targets == [span.url for span in spans(note) if span.kind == "link"]
    codes = [words(code.text) for code in soup.find_all("code")]
    assert codes == [words(span.text) for span in spans(note) if span.kind == "code"]


@few
@given(notes)
def test_any_note_as_html_has_its_links_and_code_and_nothing_else(note):
    soup = BeautifulSoup(f"<p>{html_note(note)}</p>", "html.parser")
    kinds = {"link": "a", "code": "code"}
    expected = [kinds[span.kind] for span in spans(note) if span.kind in kinds]
    # What runs from right to left keeps its direction to itself.
    found = [tag for tag in tags(soup) if tag != "bdi"]
    assert found == ["p", *expected]
    assert words(soup.text) == words(plain(note))


@pytest.mark.parametrize(
    "url",
    [
        "https://arxiv.org/abs/1410.8516",
        "https://example.org:8080/~ada/a_b-c.html?x=1&y=2#part",
        "https://example.org/a%20b,c;d=e+f@g:h",
    ],
)
def test_clean_addresses_stay_as_they_are(url):
    assert markdown_url(url) == url


def test_names():
    assert people(["Ada Byron"]) == "Ada Byron"
    assert people(["Ada Byron", "Emmy Noether"]) == "Ada Byron and Emmy Noether"
    assert people(("A", "B", "C")) == "A, B and C"
