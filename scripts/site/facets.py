"""The facets by which the list is narrowed, and the values that each entry has."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from scripts.catalogue import Catalogue, Code, Entry, Publication
from scripts.catalogue.sections import SECTIONS


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


def facets_of(entry: Entry) -> dict[str, Sequence[str]]:
    """Return the values of the entry by the name of their facet."""
    implemented = isinstance(entry, Publication) and entry.implemented
    framework = entry.framework if isinstance(entry, Code) else None
    return {
        "kind": [entry.kind],
        "notebook": ["yes"] if implemented else [],
        "tag": entry.tags,
        "framework": [_word(framework)] if framework else [],
        "year": [str(entry.date.year)],
    }


def facets(catalogue: Catalogue) -> list[Facet]:
    """Return the facets of the whole list: kinds in its order, the rest by number."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in catalogue.entries:
        for name, values in facets_of(entry).items():
            counts[name].update(values)
    frameworks = {
        _word(c.framework): c.framework for c in catalogue.code if c.framework
    }
    labels = {
        **{section.kind: section.heading for section in SECTIONS},
        **frameworks,
        "yes": "with a notebook",
    }

    def facet(name: str, label: str, order: Sequence[str]) -> Facet:
        count, titles = counts[name], catalogue.tags if name == "tag" else {}
        values = [
            Value(v, labels.get(v, v), count[v], titles.get(v, "")) for v in order
        ]
        return Facet(name, label, values)

    return [
        facet("kind", "Kind", [*counts["kind"]]),
        facet("notebook", "To run", [*counts["notebook"]]),
        facet("tag", "About", _most_common(counts["tag"])),
        facet("framework", "Framework", _most_common(counts["framework"])),
        facet("year", "Year", sorted(counts["year"], reverse=True)),
    ]


def _most_common(count: Counter[str]) -> list[str]:
    return sorted(count, key=lambda value: (-count[value], value))


def _word(name: str) -> str:
    return "-".join(name.lower().split())
