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


# So many values of a facet are in sight; a few more than that are not worth a fold.
_IN_SIGHT = 5
_FEW_MORE = 2


class Facet(NamedTuple):
    """A question that entries answer by one value, several or none.

    `of_code` marks what only software answers.
    """

    name: str
    label: str
    values: Sequence[Value]
    of_code: bool = False

    @property
    def first(self) -> Sequence[Value]:
        """The values that are in sight."""
        few = len(self.values) <= _IN_SIGHT + _FEW_MORE
        return self.values if few else self.values[:_IN_SIGHT]

    @property
    def others(self) -> Sequence[Value]:
        """The values that are folded."""
        return self.values[len(self.first) :]


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
    }


def years(catalogue: Catalogue) -> list[int]:
    """Return the years in which something of the list was published, newest first."""
    return sorted({entry.date.year for entry in catalogue.entries}, reverse=True)


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

    def of_code(name: str, label: str, order: Sequence[str] = ()) -> Facet:
        order = order or _most_common(counts[name])
        return facet(name, label, order)._replace(of_code=True)

    return [
        facet("kind", "Kind", [kind for kind in shelves if counts["kind"][kind]]),
        *(
            facet("tag", group, [t for t in _most_common(counts["tag"]) if t in tags])
            for group, tags in (catalogue.groups or {"About": catalogue.tags}).items()
        ),
        of_code("software", "Software"),
        of_code("language", "Language"),
        of_code("framework", "Framework"),
        of_code("state", "Upkeep", [s for s in get_args(State) if counts["state"][s]]),
    ]


def _most_common(count: Counter[str]) -> list[str]:
    return sorted(count, key=lambda value: (-count[value], value))


def _word(name: str) -> str:
    return "-".join(name.lower().split())
