"""Catalogues made of hostile texts, checked by nobody."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

from scripts.catalogue import Blog, Catalogue, Code, Publication, Video, load
from scripts.project import ROOT, Project
from tests.catalogue.payloads import PAYLOADS

PROJECT = Project(
    "Flows & <friends>", "https://example.org/list/", "https://github.com/someone/list"
)

# No file can hold half a surrogate pair, and nothing is no text, whoever admitted it.
HOSTILE = {
    name: payload.text
    for name, payload in PAYLOADS.items()
    if "\ud800" not in payload.text and payload.text.strip()
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
