"""Texts that break out of careless exports, and catalogues made of them."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

from scripts.catalogue import Blog, Catalogue, Code, Publication, Video, load
from scripts.project import ROOT, Project

PROJECT = Project(
    "Flows & <friends>", "https://example.org/list/", "https://github.com/someone/list"
)

HOSTILE = {
    "latex": r"\input{secret} 100% of $x_1^2$ & #1 ~ \\ {\bf x}",
    "closing brace": "}, note = {injected",
    "opening brace": "{{{",
    "new entry": "}}\n@misc{evil, title = {Evil}}",
    "comment": "% nothing after this",
    "macro": '" # jan # "',
    "escape first": "$k$-FLOWS",
    "formula =": '=HYPERLINK("https://example.org";"x")',
    "formula +": "+1",
    "formula -": "-1+1",
    "formula @": "@SUM(A1:A9)",
    "formula tab": "\t=1",
    "formula return": "\r=1",
    "formula full width": "＝1",
    "separators": 'a, b; c: d, "e"',
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "entities": "&amp; &lt;b&gt; &#0; &nbsp;",
    "cdata": "<![CDATA[ x ]]> ]]>",
    "quotes": "\"double\" 'single' `code` “curly”",
    "newlines": "one\ntwo\r\nthree\rfour\u2028five",
    "emoji": "🧑‍💻 flows 🌊",
    "combining": "e\u0301\u0323 Å n\u0303",
    "right to left": "שלום \u200f(x)\u200e",
    "controls": "a\x00b\x08c\x1bd\x7fe\ufffef",
    "several people": "Mallory and Alice AND Bob",
    "comma": "King, Jr., Martin",
    "others": "others",
    "developers": "The PyMC developers",
    "lower case": "bell hooks",
    "link": "[a](https://example.org/?q=1&r=2) and `x < y`",
}


def entry(kind: type[Any], name: str, text: str = "Plain", **fields: Any) -> Any:
    """Build an entry unchecked: an export may not lean on the loader's refusals."""
    day = datetime.date(2020, 2, 29)
    values: dict[str, Any] = {
        **{"id": name, "title": text, "authors": (text, "Rianne van den Berg", text)},
        **{"date": day, "added": day, "url": f"https://example.org/{name}"},
        **{"note": text, "tags": ("images", "graphs"), "venue": text},
        **{"affiliation": text, "links": {text: "https://example.org/?a=1&b=_2"}},
        **({"papers": ("paper",)} if kind is not Publication else {}),
        **({"language": text} if kind is Code else {}),
    }
    return kind.model_construct(**values | fields)


def catalogue_of(text: str) -> Catalogue:
    """One entry of each kind, and `text` wherever text can stand."""
    return Catalogue.model_construct(
        tags={"images": text, "graphs": "Graphs"},
        publications=(
            entry(Publication, "paper", text),
            entry(Publication, "other", text, implementation="wanted", venue=None),
        ),
        videos=(entry(Video, "video", text),),
        blogs=(entry(Blog, "blog", text),),
        code=(entry(Code, "code", text, framework=text),),
    )


def real_catalogue() -> Catalogue:
    return load(ROOT / "resources.yaml", ROOT / "implementations")


CATALOGUES: dict[str, Callable[[], Catalogue]] = {
    "ours": real_catalogue,
    **{name: lambda text=text: catalogue_of(text) for name, text in HOSTILE.items()},
}

EVERY_CATALOGUE = pytest.mark.parametrize(
    "make", CATALOGUES.values(), ids=list(CATALOGUES)
)

# Any text, and dense nonsense from the characters that mean something somewhere.
TEXTS = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
    | st.text("\\{}$&#%_^~<>|\"'`,;@= \nand[]()!-AE", min_size=1)
).filter(str.strip)
