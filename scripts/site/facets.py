"""The facets by which the list is narrowed, and the values that each entry has."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, get_args

from scripts.catalogue import Catalogue, Code, Entry
from scripts.catalogue.sections import SHELVES
from scripts.links.software import State, Upkeep, state


class Value(NamedTuple):
    """One value of a facet, a word without blanks, and how many entries have it."""

    value: str
    label: str
    number: int
    title: str = ""


class Facet(NamedTuple):
    """A question that entries answer by one value, several or none."""

    name: str
    label: str
    values: Sequence[Value]


def facets_of(
    entry: Entry, upkeep: Mapping[str, Upkeep] = MappingProxyType({})
) -> dict[str, Sequence[str]]:
    """Return the values of the entry by the name of their facet."""
    software = entry if isinstance(entry, Code) else None
    return {
        "kind": [entry.shelf.kind],
        "tag": entry.tags,
        "software": [software.kind] if software else [],
        "language": [*map(_word, software.languages)] if software else [],
        "framework": [*map(_word, software.frameworks)] if software else [],
        "state": [state(software, upkeep)] if software else [],
        "year": [str(entry.date.year)],
    }


def facets(
    catalogue: Catalogue, upkeep: Mapping[str, Upkeep] = MappingProxyType({})
) -> list[Facet]:
    """Return the facets of the whole list: kinds in its order, the rest by number.

    Each group of tags is a facet.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in catalogue.entries:
        for name, values in facets_of(entry, upkeep).items():
            counts[name].update(values)
    shelves = {shelf.kind: shelf.heading for shelf in SHELVES}
    names = (name for c in catalogue.code for name in (*c.languages, *c.frameworks))
    labels = {**shelves, **{_word(name): name for name in names}}

    def facet(name: str, label: str, order: Sequence[str]) -> Facet:
        count, titles = counts[name], catalogue.tags if name == "tag" else {}
        values = [
            Value(v, labels.get(v, v), count[v], titles.get(v, "")) for v in order
        ]
        return Facet(name, label, values)

    return [
        facet("kind", "Kind", [kind for kind in shelves if counts["kind"][kind]]),
        *(
            facet("tag", group, [t for t in _most_common(counts["tag"]) if t in tags])
            for group, tags in (catalogue.groups or {"About": catalogue.tags}).items()
        ),
        facet("software", "Software", _most_common(counts["software"])),
        facet("language", "Language", _most_common(counts["language"])),
        facet("framework", "Framework", _most_common(counts["framework"])),
        facet("state", "Upkeep", [s for s in get_args(State) if counts["state"][s]]),
        facet("year", "Year", sorted(counts["year"], reverse=True)),
    ]


def _most_common(count: Counter[str]) -> list[str]:
    return sorted(count, key=lambda value: (-count[value], value))


def _word(name: str) -> str:
    return "-".join(name.lower().split())
