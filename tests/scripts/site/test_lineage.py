"""Rows of the genealogy."""

from __future__ import annotations

from scripts.papers.genealogy import Kin, PaperImport
from scripts.site.lineage import rows
from tests.support.many_papers import publication

PAPERS = [
    publication("nice", 2014),
    publication("wanted", 2015),
    publication("made", 2016),
    publication("nsf", 2019),
]
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
NAMES = {id: id.upper() for id in GENEALOGY}
FAMILIES = dict.fromkeys(GENEALOGY, "Splines")


def test_implemented_papers_have_rows_in_order_of_time() -> None:
    found = rows(PAPERS, GENEALOGY, NAMES, FAMILIES)
    assert [row.id for row in found] == ["nice", "made", "nsf"]
    assert [row.name for row in found] == ["NICE", "MADE", "NSF"]
    assert [row.introduced for row in found] == [["Coupling"], ["Autoregressive"], []]


def test_a_row_says_who_reuses_what() -> None:
    nice, made, nsf = rows(PAPERS, GENEALOGY, NAMES, FAMILIES)
    assert nice.reused_by == [PaperImport("nsf", ("Coupling",))]
    assert made.reused_by == [PaperImport("nsf", ("Autoregressive", "spread"))]
    assert nsf.reused_by == []
    assert nsf.builds_on == GENEALOGY["nsf"].builds_on
