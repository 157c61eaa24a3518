"""Catalogues of hostile texts: checked by nobody, or as the loader admits them."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest
import yaml
from hypothesis import strategies as st

from scripts.base.dates import PartialDate
from scripts.base.project import Project
from scripts.base.text import spans
from scripts.catalogue import Blog, Catalogue, Code, Publication, Video, parse
from scripts.catalogue.sections import KEYS
from tests.frozen import IMPLEMENTATIONS, LIST, frozen_catalogue
from tests.support.payloads import ADDRESS, AUTHOR, NOTE, PAYLOADS, TEXT, Field, Payload

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
        **{
            "date": PartialDate(2020, 2, 29),
            "added": day,
            "url": f"https://example.org/{name}",
        },
        **{"note": text, "tags": ("images", "graphs"), "venue": text},
        **{"affiliation": text, "links": {text: "https://example.org/?a=1&b=_2"}},
        **({"papers": ("paper",)} if kind is not Publication else {}),
        **({"kind": "package", "languages": (text,)} if kind is Code else {}),
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
        code=(entry(Code, "code", text, frameworks=(text,)),),
    )


HARMLESS = "https://example.org/harmless"


@lru_cache(maxsize=4)
def admitted(payload: Payload) -> Catalogue:
    """The frozen list, the text in every field that admits it, loaded and checked."""
    text = payload.text
    return _filled(payload.admitted, text, text, text)


def harmless(kinds: Field, note: str) -> Catalogue:
    """The same list with texts that nobody minds."""
    return _filled(kinds, "Harmless", note, HARMLESS)


def harmless_note(payload: Payload) -> str:
    """Return what takes the note's place: its code and links are meant to be there."""
    kinds = {"text": "words", "code": "`code`", "link": f"[words]({HARMLESS})"}
    return "".join(kinds[span.kind] for span in spans(" ".join(payload.text.split())))


def at_host(address: str, name: str) -> str:
    """Move an address to a host below its own."""
    return address.replace("https://", f"https://{name}.", 1)


def _filled(kinds: Field, text: str, note: str, address: str) -> Catalogue:
    """Load it with these texts, most of them numbered: no two are the same."""
    content = yaml.load(LIST.read_bytes(), yaml.CSafeLoader)
    content["tags"] = dict.fromkeys(content["tags"], text if TEXT in kinds else "Words")
    entries = (entry for section in KEYS for entry in content[section])
    for n, entry in enumerate(entries):
        numbered = f"{text} {n}" if n else text
        # Addresses differ by host: what is hostile in them stands behind it.
        link = address if ADDRESS in kinds else HARMLESS
        if TEXT in kinds:
            entry |= {"title": numbered, "venue": text, "affiliation": text}
            one, other = at_host(link, f"x{n}"), at_host(link, f"y{n}")
            entry["links"] = {text: one, numbered + ".": other}
            software = {"frameworks": [text], "languages": [text]}
            entry |= software if "languages" in entry else {}
        if AUTHOR in kinds:
            entry["authors"] = [text, "Ada Byron", numbered + "."]
        if TEXT in kinds:
            lab = {"organisation": f"{numbered}, Lab"}
            entry["authors"] = [*entry["authors"], lab]
        if NOTE in kinds:
            entry["note"] = note
        if ADDRESS in kinds:
            entry["url"] = at_host(address, f"z{n}")
    # JSON is YAML in which every text is in quotes.
    written = json.dumps(content, default=str, ensure_ascii=False).encode("utf-8")
    return parse(written, "resources.yaml", IMPLEMENTATIONS)


CATALOGUES: dict[str, Callable[[], Catalogue]] = {
    "frozen": frozen_catalogue,
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
