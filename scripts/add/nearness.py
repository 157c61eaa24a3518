"""Tags that a work may have, and entries that it may be already."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator

from scripts.catalogue import Catalogue, Entry, addresses
from scripts.catalogue.rules import letters

# Where arXiv and GitHub put a work → the tag that it may have.
_OF_CATEGORIES = {
    **dict.fromkeys(("astro-ph", "gr-qc", "hep-", "cond-mat", "nucl-"), "physics"),
    **{"cs.sd": "audio", "eess.as": "audio", "cs.cl": "text", "cs.cv": "images"},
    **{"physics.chem-ph": "molecules", "q-bio": "molecules", "cs.si": "graphs"},
}
# So much of their letters have titles of the same work in common.
_ALIKE = 0.9


def tags(title: str, categories: Collection[str], catalogue: Catalogue) -> list[str]:
    """Propose tags whose words, or another name of theirs, the title has.

    What the services file it under adds its own: categories of arXiv, topics of GitHub.
    """
    said = _words(title)
    texts = [said, *map(_words, categories)]
    others = {
        name for alias, name in catalogue.aliases.items() if _words(alias) <= said
    }
    filed = {
        tag
        for start, tag in _OF_CATEGORIES.items()
        if any(each.lower().startswith(start) for each in categories)
    }
    return [
        tag
        for tag in catalogue.tags
        if tag in filed | others or any(_words(tag) <= text for text in texts)
    ]


def _words(text: str) -> set[str]:
    """Words without the endings of plurals and adjectives."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    return {re.sub(r"(?:ities|ity|s|al|ic|ance|ant)$", "", w) or w for w in words}


def entries(title: str, url: str, section: str, known: Catalogue) -> Iterator[Entry]:
    """Yield entries that may be the same work at another address.

    One links to the address, or has nearly the same title.
    """
    place, name = addresses.place(url), letters(title)
    for entry in getattr(known, section):
        links = map(addresses.place, entry.links.values())
        alike = difflib.SequenceMatcher(None, letters(entry.title), name, False)
        if place in links or (name and _ratio(alike) >= _ALIKE):
            yield entry


def _ratio(alike: difflib.SequenceMatcher[str]) -> float:
    # The exact ratio takes its time; most titles are told apart by these.
    bounds = alike.real_quick_ratio, alike.quick_ratio
    far = any(bound() < _ALIKE for bound in bounds)
    return 0.0 if far else alike.ratio()
