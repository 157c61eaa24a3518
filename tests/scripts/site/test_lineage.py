"""Rows and arcs of the genealogy."""

from __future__ import annotations

import datetime

from scripts.base.dates import PartialDate
from scripts.catalogue import Publication
from scripts.papers.genealogy import Kin, PaperImport
from scripts.site.lineage import ROW, rows


def paper(id: str, year: int) -> Publication:
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


PAPERS = [paper("nice", 2014), paper("wanted", 2015), paper("made", 2016)]
PAPERS.append(paper("nsf", 2019))
GENEALOGY = {
    "made": Kin(),
    "nice": Kin(),
    "nsf": Kin(
        (
            PaperImport("made", ("Autoregressive", "spread")),
            PaperImport("nice", ("Coupling",)),
        )
    ),
}


def test_implemented_papers_have_rows_in_order_of_time() -> None:
    found = rows(PAPERS, GENEALOGY)
    assert [row.paper.id for row in found] == ["nice", "made", "nsf"]
    assert [row.introduced for row in found] == [["Coupling"], ["Autoregressive"], []]


def test_arcs_end_at_the_rows_of_what_is_built_on() -> None:
    arcs = {arc.to: arc.path for arc in rows(PAPERS, GENEALOGY)[2].arcs}
    assert arcs["made"].endswith(f" 0 {-ROW}")
    assert arcs["nice"].endswith(f" 0 {-2 * ROW}")
