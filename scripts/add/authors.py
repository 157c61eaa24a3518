"""The authors of an entry to be, and which of them are organisations, as lines of text.

`authors` has commas between; `organisations` names some of them, with semicolons
between, since the name of a firm may have a comma in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from scripts.catalogue.names import SUFFIX, Author, Organisation

NONE = "none"
"""The line of organisations where all authors are persons."""


def lines(authors: Iterable[Author]) -> tuple[str, str]:
    """Write authors as their two lines."""
    everybody = list(authors)
    marked = [str(a) for a in everybody if isinstance(a, Organisation)]
    return ", ".join(map(str, everybody)), "; ".join(marked) or NONE


def read(authors: str, organisations: str) -> list[Author]:
    """Read the two lines; a comma may stand in an organisation and before a Jr."""
    marked = _names(organisations)
    whole = "|".join(map(re.escape, sorted(marked, key=len, reverse=True))) or r"(?!)"
    item = rf"\s*(?:({whole})|([^,]+?(?:,\s*(?:{SUFFIX}))?))\s*(?:,|$)"
    return [
        Organisation(organisation=organisation) if organisation else person
        for organisation, person in re.findall(item, authors)
        if organisation or person.strip()
    ]


def missing(authors: str, organisations: str) -> list[str]:
    """Return the organisations that are none of the authors."""
    found = [a for a in read(authors, organisations) if isinstance(a, Organisation)]
    return [name for name in _names(organisations) if name not in map(str, found)]


def alone(organisations: str) -> str:
    """Return the line of authors where organisations are all that is said."""
    return ", ".join(_names(organisations))


def _names(organisations: str) -> list[str]:
    if organisations == NONE:
        return []
    return [name for part in organisations.split(";") if (name := part.strip())]
