"""Characters that nobody sees, which may hide what a text says; and joiners at work."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_PLANES = range(0, 0x110000, 0x10000)
# Letters, marks and signs without a shape of their own, and what is no character. An
# emoji keeps its variation selectors.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0"
    "\ufe00-\ufe0d\U000e0100-\U000e01ef\ufdd0-\ufdef"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in _PLANES)
    + "]"
)
JOINERS = "\u200c\u200d"
_NEAR = (
    30  # Between a joiner and the letters that it stands between, there are few marks.
)


def is_plain(text: str) -> bool:
    """Return whether a glance shows that the text hides nothing, as it mostly does."""
    return text.isprintable() and (text.isascii() or not _BLANK.search(text))


def places(text: str) -> list[int]:
    """Return where invisible characters stand; tabs and line ends are not meant."""
    return [
        place
        for place, character in enumerate(text)
        if character not in "\t\n" and _hides(text, place)
    ]


def without(text: str, hidden: list[int]) -> str:
    """Return the text without the characters at these places."""
    left_out = {*hidden}
    return "".join(c for place, c in enumerate(text) if place not in left_out)


def _hides(text: str, place: int) -> bool:
    """Return whether it is a control, format, separator or private one, or blank."""
    character = text[place]
    kind = unicodedata.category(character)
    if kind in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp"):
        return not (character in JOINERS and _joins(text, place))
    return bool(_BLANK.match(character))


def _joins(text: str, place: int) -> bool:
    """Return whether a joiner changes its neighbours' forms (RFC 5892, A.1, A.2).

    So it does between letters that would join in Persian or Urdu, and behind the sign
    that takes a consonant's vowel away in Hindi, Sinhala and their sisters.
    """
    start, end = place - 1, place + 1
    while place - start < _NEAR and start > 0 and _is_mark(text[start]):
        start -= 1
    while end - place < _NEAR and end < len(text) and _is_mark(text[end]):
        end += 1
    return _works(text[max(0, start) : end + 1], place - max(0, start))


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) == "Mn"


@lru_cache(maxsize=10_000)
def _works(text: str, place: int) -> bool:
    import idna  # large tables, which few lists need

    try:
        return idna.valid_contextj(text, place)
    except ValueError:  # a neighbour is no character
        return False


def describe(character: str) -> tuple[str, str]:
    """Say of an invisible character what is wrong with it, and what to do."""
    name = unicodedata.name(character, "").capitalize()
    problem = f"holds an invisible character, U+{ord(character):04X} {name}".rstrip()
    if character == "\ufeff":
        return problem, "save it without byte-order mark"
    if character in JOINERS:
        return problem, "remove it: it joins or parts no letters here"
    return problem, "remove it"
