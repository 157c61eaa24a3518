"""The documents of the search: each says what kind it is, in few words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.base.files import write_atomic
from scripts.catalogue import Catalogue, Entry

# Formulas, and code that is folded away on the page.
_NO_WORDS = re.compile(r'(class="(?:arithmatex|fold)")')
# Where the kind is not "Page".
_KINDS = {"papers": "Paper", "notebooks": "Notebook", "reference": "Reference"}
# A paper comes before its notebook where both are found by their titles.
_PAPERS_FIRST = 2


def without_code_and_formulas(html: str) -> str:
    """Mark what the theme shall leave out of the index; it takes the marks away."""
    return _NO_WORDS.sub(r'\1 data-search-exclude="true"', html)


def set_documents_apart(site: Path, catalogue: Catalogue) -> None:
    """Set the documents of the search apart; docs/assets/search.js fetches them."""
    folder = site / "search"
    index = json.loads((folder / "search_index.json").read_text("utf-8"))
    entries = {entry.id: entry for entry in catalogue.entries}
    documents = [_document(found, entries, catalogue) for found in index["docs"]]
    index["docs"] = []
    for name, content in ("documents", documents), ("search_index", index):
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        write_atomic(folder / f"{name}.json", text)


def _document(
    found: dict[str, Any], entries: Mapping[str, Entry], catalogue: Catalogue
) -> dict[str, Any]:
    """Add what the page, the entry or the word is; other sections have no kind.

    The `tags` of an entry are its other names, by which it is found before all else.
    """
    path, _, anchor = found["location"].partition("#")
    folder, _, id = path.rstrip("/").partition("/")
    if folder == "list" and anchor in entries:
        id, kind = anchor, entries[anchor].section.one
    elif folder == "glossary" and anchor:
        kind = "Word of the glossary"
    elif folder == "reference" and anchor.startswith("implementations."):
        kind = "Code"
    elif anchor:
        return found
    else:
        kind = _KINDS.get(folder, "Page") if id else "Page"
    document = found | {"kind": kind}
    if kind == "Code" and "_" in (name := anchor.rpartition(".")[2]):
        # Else whoever types a whole name finds papers on its words.
        return document if name in entries else document | {"tags": [name]}
    if names := [alias for alias, name in catalogue.aliases.items() if name == id]:
        document["tags"] = names
    if kind == "Paper":
        document["boost"] = _PAPERS_FIRST
    return document
