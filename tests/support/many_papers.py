"""A genealogy of fifty papers and 150 arcs, as the project's may be in some years."""

from __future__ import annotations

import datetime
import random

from scripts.base.dates import PartialDate
from scripts.catalogue import Publication
from scripts.papers.genealogy import Genealogy, Kin, PaperImport
from scripts.papers.registrations import FAMILIES
from scripts.site.lineage import Row, rows

PAPERS, ARCS = 50, 150
YEARS = range(2014, 2027)
NAMES = (
    "NICE",
    "Graph normalizing flows",
    "Neural spline flows",
    "Residual flows",
    "Flow matching for generative modelling",
    "i-ResNet",
    "Continuously indexed flows",
    "Self-normalizing flows",
)
CLASSES = ("Coupling", "Autoregressive", "LatentGaussian", "Spline", "ActNorm")


def publication(id: str, year: int) -> Publication:
    return Publication(
        id=id,
        title=id,
        authors=("A",),
        date=PartialDate(year),
        url=f"https://example.org/{id}",
        note="",
        tags=(),
        added=datetime.date(2026, 11, 23),
    )


def many_rows() -> list[Row]:
    """The rows of all papers: the older and the earlier in a year, the more reused."""
    chance = random.Random(0)
    years = sorted(chance.choices(YEARS, k=PAPERS))
    ids = [f"paper{number}" for number in range(PAPERS)]
    names = {id: NAMES[k % len(NAMES)] for k, id in enumerate(ids)}
    families = {id: chance.choice([*FAMILIES]) for id in ids}
    papers = [publication(id, year) for id, year in zip(ids, years, strict=True)]
    return rows(papers, _genealogy(ids, chance), names, families)


def _genealogy(ids: list[str], chance: random.Random) -> Genealogy:
    taken: dict[str, dict[str, set[str]]] = {id: {} for id in ids}
    for _ in range(10 * ARCS):
        later = chance.randrange(1, len(ids))
        earlier = ids[min(int(chance.expovariate(0.12)), later - 1)]
        name = CLASSES[min(int(chance.expovariate(0.9)), len(CLASSES) - 1)]
        taken[ids[later]].setdefault(earlier, set()).add(name)
        if sum(len(c) for each in taken.values() for c in each.values()) == ARCS:
            break
    return {
        id: Kin(tuple(PaperImport(e, tuple(sorted(c))) for e, c in earlier.items()))
        for id, earlier in taken.items()
    }
