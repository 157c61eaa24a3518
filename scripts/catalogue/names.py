"""Who wrote a work: persons, whose names are split here alone, and organisations."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from scripts.catalogue.limits import LONGEST_TEXT

_TEXT: dict[str, Any] = {"minLength": 1, "maxLength": LONGEST_TEXT}


class Organisation(BaseModel):
    """An author that is no person; a name alone does not tell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    organisation: Annotated[
        str,
        Field(
            description="Its name, as it stands on the work itself",
            examples=["Google DeepMind"],
            json_schema_extra=_TEXT,
        ),
    ]

    def __str__(self) -> str:
        return self.organisation


def _kind(author: Any) -> str:
    marked = isinstance(author, (dict, Organisation))
    return "organisation" if marked else "person"


Author = Annotated[
    Annotated[str, Field(json_schema_extra=_TEXT), Tag("person")]
    | Annotated[Organisation, Tag("organisation")],
    Discriminator(_kind),
]
"""A person's name in full, or an organisation; `str` makes of it the name to show."""


class Name(NamedTuple):
    """A person's name in its parts; all may be empty but the family name."""

    given: str
    particle: str
    family: str
    suffix: str

    @property
    def surname(self) -> str:
        """The name to cite: van den Berg."""
        return f"{self.particle} {self.family}".lstrip()


SUFFIX = r"[Jj]r\.?|[Ss]r\.?|II|III|IV"
is_suffix = re.compile(SUFFIX).fullmatch
_with_suffix = re.compile(rf"(\S.*?),?\s+({SUFFIX})").fullmatch
_PARTICLES = {
    *("van", "von", "vom", "zu", "zur", "de", "der", "den", "del", "della", "di"),
    *("du", "da", "dos", "la", "le", "ter", "ten", "al", "el", "bin", "ibn"),
}
# With a capital these belong to the family name. "Van" does not: people from Vietnam
# have it among their given names.
_CAPITALS = {"De", "Del", "Della", "Di", "Ter", "Von"}


def split(person: str) -> Name:
    """Split a name: Rianne van den Berg, Martin King Jr., Martin King, Jr.

    As in BibTeX, words in the middle that begin with a small letter are the particle,
    and all behind them is the family name; without them the last word is. A family
    name of two words (García Márquez), or one that stands first, cannot be told.
    """
    found = _with_suffix(person.strip())
    words = (found[1] if found else person).split()
    last = len(words) - 1
    first = 0 if last and words[0] in _PARTICLES else 1
    small = [place for place in range(first, last) if is_small(words[place])]
    if small:
        start, end = small[0], small[-1] + 1
        while start > 1 and words[start - 1].lower() in _PARTICLES:
            start -= 1
    else:
        start = last
        while start > 1 and words[start - 1] in _CAPITALS:
            start -= 1
        end = start
    given, particle, family = words[:start], words[start:end], words[end:]
    suffix = found[2] if found else ""
    return Name(" ".join(given), " ".join(particle), " ".join(family), suffix)


def without_suffix(person: str) -> str:
    """Return the name without its Jr., and without the comma before that."""
    found = _with_suffix(person.strip())
    return found[1] if found else person


def is_small(word: str) -> bool:
    """Return whether it begins with a small letter (van, d'Alembert); no initial."""
    decomposed = unicodedata.normalize("NFD", word)
    first = next((c for c in decomposed if c.lower() != c.upper()), "")
    return first.islower() and not re.fullmatch(r"\w\.", word)


_SUFFIXES = {
    **{"jr": "Jr.", "junior": "Jr.", "sr": "Sr.", "senior": "Sr."},
    **{"ii": "II", "2nd": "II", "iii": "III", "3rd": "III", "iv": "IV", "4th": "IV"},
}


def joined(given: str, family: str, suffix: str) -> str:
    """Write the parts that a service tells as one name: Martin King Jr.

    The suffix may also stand behind the given names; an academic degree is none.
    """
    *others, last = given.split() or [""]
    if others and is_suffix(last):
        given, suffix = " ".join(others), last
    found = _SUFFIXES.get(suffix.lower().strip(" ."), "")
    return " ".join(filter(None, (given.strip(" ,"), family.strip(" ,"), found)))


def surname(author: Author) -> str:
    """Return the name to cite an author by: van den Berg, or an organisation."""
    return split(author).surname if isinstance(author, str) else str(author)


def family(author: Author) -> str:
    """Return the name to sort an author by: Berg, or an organisation."""
    return split(author).family if isinstance(author, str) else str(author)
