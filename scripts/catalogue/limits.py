"""Names that are taken, and how long texts may be: rules like those of rules.py."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

from scripts.catalogue.draft import Draft, below
from scripts.catalogue.faults import Finding, Path, quote
from scripts.catalogue.sections import SHELVES
from scripts.papers import FOLDERS

LONGEST_TEXT = 300
LONGEST_ADDRESS = 2_000
LONGEST_NAME = 60  # of a file, with room for an ending

# An entry's id names a Python module and a function of it, files, a page and a place on
# the list's page.
RESERVED = {
    *keyword.kwlist,
    *FOLDERS,
    # what the draft of a paper's files imports and assigns
    *("annotations", "torch", "nn", "claim", "repeated", "device", "seed", "fit"),
    *("kl_to", "banana", "flow", "x"),
    *("density", "figure", "fig", "axes", "box", "show"),
    *(
        "all_checks",
        "arrow",
        "ax",
        "check",
        "densities",
        "diagram",
        "edited",
        "error",
        "expected",
        "gap",
        "gaussian_gap",
        "grid_lines",
        "layer",
        "least",
        "name",
        "square",
        "thumbnail",
        "warp",
        "where",
        "z",
    ),
    # devices of Windows, which has no file of such a name, whatever its ending
    *("con", "prn", "aux", "nul"),
    *(f"{port}{number}" for port in ("com", "lpt") for number in range(10)),
    "index",  # the page of a folder
    # on the list
    *(section.anchor for section in SHELVES),
    "browse",
}


def reserved_ids(draft: Draft) -> Iterator[Finding]:
    """Refuse ids that name something else already."""
    for item in draft.items:
        if item.text("id") in RESERVED:
            fix = f'choose another, such as "the_{item.name}"'
            yield Finding(item.path("id"), f"{quote(item.name)} is reserved", fix)


_is_tag = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*").fullmatch


def tag_names(draft: Draft) -> Iterator[Finding]:
    """Refuse names of tags that an address could not hold as they are."""
    for tag in draft.tags:
        if not _is_tag(tag):
            problem = f"{quote(tag)} is not made of a-z, 0-9 and -, a letter first"
            fix = 'write it as in "density-estimation"'
            yield Finding(("tags", tag), problem, fix, of_key=True)


def lengths(draft: Draft) -> Iterator[Finding]:
    """Refuse texts that are longer than any title; a note has a rule of its own."""
    for item in draft.items:
        for field, value in item.fields.items():
            longest = _LONGEST.get(field, LONGEST_TEXT)
            if field != "note":
                yield from _too_long(item.path(field), value, longest)
            for path, part in below(value):
                yield from _too_long(item.path(field, *path), part, longest)
                if isinstance(path[-1], str):
                    yield from _key_too_long(item.path(field, *path), LONGEST_TEXT)
    for tag, sentence in draft.tags.items():
        yield from _key_too_long(("tags", tag), LONGEST_NAME)
        yield from _too_long(("tags", tag), sentence, LONGEST_TEXT)
    for name in ("groups", "aliases"):
        for key in draft.mapping(name):
            yield from _key_too_long((name, key), LONGEST_NAME)


_LONGEST = {"id": LONGEST_NAME, "url": LONGEST_ADDRESS, "links": LONGEST_ADDRESS}


def _too_long(path: Path, value: object, longest: int) -> Iterator[Finding]:
    if isinstance(value, str) and len(value) > longest:
        yield Finding(path, f"has {len(value)} characters", f"cut it to {longest}")


def _key_too_long(path: Path, longest: int) -> Iterator[Finding]:
    for finding in _too_long(path, path[-1], longest):
        yield finding._replace(of_key=True)
