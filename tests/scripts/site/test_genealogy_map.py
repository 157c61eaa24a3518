"""The map of the genealogy, of fifty papers and of few."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import NamedTuple

import pytest

from scripts.papers.genealogy import Kin, PaperImport
from scripts.papers.registrations import FAMILIES
from scripts.site.genealogy_map import (
    CLASS,
    NAME,
    GenealogyMap,
    PaperCard,
    draw,
    text_width,
)
from scripts.site.lineage import rows
from tests.support.many_papers import ARCS, PAPERS, many_rows, publication
from tests.support.rendering import render_map

KB = 1000


class Area(NamedTuple):
    """What something takes of the map."""

    name: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Area) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


@pytest.fixture(scope="module")
def many() -> GenealogyMap:
    drawn = draw(many_rows())
    assert drawn
    return drawn


def text(words: str, x: float, y: float, size: int) -> Area:
    return Area(words, x, y - 0.8 * size, x + text_width(words, size), y + 0.25 * size)


def labels(drawn: GenealogyMap) -> Iterator[Area]:
    for year in drawn.years:
        yield text(str(year.number), 0, year.y + 16, CLASS)
    for lane in drawn.lanes:
        for line in lane.name:
            left = line.x - text_width(line.text, CLASS) / 2
            yield text(line.text, left, line.y, CLASS)
    for card in drawn.cards:
        yield from (text(line.text, line.x, line.y, NAME) for line in card.name)
        for port in card.ports:
            left = port.x - text_width(port.text, CLASS)
            yield text(port.text, left, port.y, CLASS)


def area(card: PaperCard) -> Area:
    right, bottom = card.x + card.width, card.y + card.height
    return Area(card.id, card.x, card.y, right, bottom)


def test_no_labels_overlap(many: GenealogyMap) -> None:
    found = [*labels(many)]
    assert len(found) > PAPERS
    pairs = combinations(found, 2)
    assert [(a, b) for a, b in pairs if a.overlaps(b)] == []


def test_no_cards_overlap_and_each_holds_its_words(many: GenealogyMap) -> None:
    cards = [area(card) for card in many.cards]
    assert [(a, b) for a, b in combinations(cards, 2) if a.overlaps(b)] == []
    for card, whole in zip(many.cards, cards, strict=True):
        for line in card.name:
            assert whole.left < line.x
            assert line.x + text_width(line.text, NAME) <= whole.right
        for port in card.ports:
            assert whole.left < port.x - text_width(port.text, CLASS)
            assert port.y < whole.bottom


def test_every_card_stands_in_the_lane_of_its_family(many: GenealogyMap) -> None:
    lanes = {" ".join(line.text for line in lane.name): lane for lane in many.lanes}
    assert list(lanes) == list(FAMILIES)
    for lane, following in pairwise(many.lanes):
        assert lane.x + lane.width <= following.x
    for row, card in zip(many_rows(), many.cards, strict=True):
        lane = lanes[row.family]
        assert lane.x < card.x < card.x + card.width < lane.x + lane.width


def test_time_runs_from_top_to_bottom(many: GenealogyMap) -> None:
    starts = {year.number: year.y for year in many.years}
    ends = {year - 1: y for year, y in starts.items()} | {2026: many.height}
    assert list(starts) == list(range(2014, 2027))
    for row, card in zip(many_rows(), many.cards, strict=True):
        year = row.paper.date.year
        assert starts[year] < card.y < ends[year]
        assert card.y + card.height < many.height


def test_an_arc_leads_from_a_class_to_the_paper_that_reuses_it(
    many: GenealogyMap,
) -> None:
    cards = {card.id: card for card in many.cards}
    assert len(many.arcs) == ARCS
    for arc in many.arcs:
        points = re.findall(r"(-?\d+) (-?\d+)", arc.path)
        (x0, y0), (x1, y1) = ([int(n) for n in points[k]] for k in (0, -1))
        source, target = cards[arc.source], cards[arc.target]
        [port] = [port for port in source.ports if port.text == arc.name]
        assert x0 in (source.x, source.x + source.width)
        assert port.y - CLASS < y0 < port.y
        assert x1 in (target.x, target.x + target.width)
        assert target.y < y1 < target.name[0].y
        assert source.y < target.y
        inside = [0 <= x <= many.width for x, _ in curve(points)]
        assert all(inside), arc


def curve(points: list[tuple[str, str]]) -> Iterator[tuple[float, float]]:
    """Points on a cubic curve."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = ((int(x), int(y)) for x, y in points)
    for k in range(11):
        t, u = k / 10, 1 - k / 10
        a, b, c, d = u**3, 3 * u * u * t, 3 * u * t * t, t**3
        yield a * ax + b * bx + c * cx + d * dx, a * ay + b * by + c * cy + d * dy


def test_fifty_papers_weigh_little(many: GenealogyMap) -> None:
    zipped = gzip.compress(render_map(many).encode(), compresslevel=6)
    assert 3 * KB < len(zipped) <= 40 * KB


def test_the_same_papers_make_the_same_map(many: GenealogyMap) -> None:
    assert draw(many_rows()) == many


def test_papers_of_a_year_that_build_on_each_other_stand_below_each_other() -> None:
    papers = [publication(id, 2019) for id in ("first", "second", "third")]
    kin = {
        "first": Kin(),
        "second": Kin((PaperImport("first", ("Idea",)),)),
        "third": Kin((PaperImport("second", ("learn",)),)),
    }
    names = {id: id.title() for id in kin}
    families = {"first": "Splines", "second": "Graphs", "third": "Coupling flows"}
    drawn = draw(rows(papers, kin, names, families))
    assert drawn
    first, second, third = (card.y for card in drawn.cards)
    assert first < second < third
    assert [year.number for year in drawn.years] == [2019]
    assert [arc.name for arc in drawn.arcs] == ["Idea", ""]


def test_without_papers_there_is_no_map() -> None:
    assert draw([]) is None
