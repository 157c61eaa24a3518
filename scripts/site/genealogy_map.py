"""The genealogy as a map: time from top to bottom, a lane for each family.

A solver of linear constraints finds how far down each year and each paper stands.
Lengths are in pixels of the map's full size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import as_file, files
from itertools import pairwise
from typing import NamedTuple

from kiwisolver import Solver, Variable
from PIL import ImageFont

from scripts.papers.registrations import FAMILIES
from scripts.site.lineage import Row

# Letters: their size, from line to line, and by how much other fonts than the one that
# is measured here may be wider.
NAME, NAME_LINE = 14, 17
CLASS, CLASS_LINE = 12, 15
WIDER = 1.25
# The map is so wide, or wider where lanes need it; years stand to the left of them, and
# arcs of the last one run beyond its right edge.
WIDTH, YEARS, MARGIN = 1050, 44, 16
# Between the cards of two lanes, where arcs run; within a card, sideways and above.
GUTTER, PADDING, ABOVE = 32, 8, 6
# Between cards of a lane; from the start of a year to a card, from a card's top to the
# next year; the least from a paper down to one of the same year that reuses it.
GAP, BEFORE, AFTER, BELOW = 12, 8, 26, 24
SHORTEST_YEAR = 34


class Line(NamedTuple):
    """A line of text, by its left end, or its right end where it names a class."""

    text: str
    x: int
    y: int


class PaperCard(NamedTuple):
    """A paper by the lines of its name, and the classes from which arcs leave."""

    id: str
    x: int
    y: int
    width: int
    height: int
    name: Sequence[Line]
    ports: Sequence[Line]


class Arc(NamedTuple):
    """A curve from a class of one paper to another paper that reuses it.

    It has no name where only functions are reused.
    """

    source: str
    target: str
    name: str
    path: str


class Lane(NamedTuple):
    """The part of the map that one family has, and the lines of its name."""

    name: Sequence[Line]
    x: int
    width: int


class Year(NamedTuple):
    """A year, and how far down it begins."""

    number: int
    y: int


class GenealogyMap(NamedTuple):
    """All that is drawn, and its full size."""

    width: int
    height: int
    lanes: Sequence[Lane]
    years: Sequence[Year]
    cards: Sequence[PaperCard]
    arcs: Sequence[Arc]
    # The part of its full size at which the smallest letters have nine pixels.
    smallest = 9 / CLASS


def draw(rows: Sequence[Row]) -> GenealogyMap | None:
    """Lay out the rows, which are in order of time; no map of none."""
    if not rows:
        return None
    lanes = _lanes(rows)
    head = max(line.y for lane in lanes.values() for line in lane.name) + PADDING
    shapes = {row.id: _Shape(row, _card_width(lanes[row.family])) for row in rows}
    tops, years = _solved(rows, shapes, head)
    cards = {
        row.id: shapes[row.id].placed(lanes[row.family], tops[row.id]) for row in rows
    }
    return GenealogyMap(
        max(lane.x + lane.width for lane in lanes.values()) + MARGIN,
        max(card.y + card.height for card in cards.values()) + GAP,
        [*lanes.values()],
        years,
        [*cards.values()],
        [*_arcs(rows, cards)],
    )


def text_width(text: str, size: int) -> int:
    """Return the room for a text: as wide as in the widest of the usual fonts."""
    return round(WIDER * _font(size).getlength(text))


class _Shape:
    """A card that has no place yet."""

    def __init__(self, row: Row, width: int) -> None:
        self.row, self.width = row, width
        self.name = _broken(row.name, NAME, width - 2 * PADDING)
        self.head = ABOVE + NAME_LINE * len(self.name)
        self.height = self.head + CLASS_LINE * len(row.introduced) + ABOVE

    def placed(self, lane: Lane, top: int) -> PaperCard:
        left = lane.x + (lane.width - self.width) // 2
        right = left + self.width - PADDING
        name = [
            Line(line, left + PADDING, top + ABOVE + NAME_LINE * k - 4)
            for k, line in enumerate(self.name, 1)
        ]
        ports = [
            Line(each, right, top + self.head + CLASS_LINE * k - 4)
            for k, each in enumerate(self.row.introduced, 1)
        ]
        return PaperCard(self.row.id, left, top, self.width, self.height, name, ports)


def _lanes(rows: Sequence[Row]) -> Mapping[str, Lane]:
    """Divide the width among the families that have papers; none is too narrow."""
    families = [name for name in FAMILIES if any(row.family == name for row in rows)]
    words = [text_width(w, NAME) for row in rows for w in row.name.split()]
    words += [text_width(name, CLASS) for row in rows for name in row.introduced]
    least = max(words) + 2 * PADDING + GUTTER
    width = max(least, (WIDTH - YEARS - MARGIN) // len(families))
    lanes = {}
    for number, family in enumerate(families):
        x = YEARS + width * number
        lines = enumerate(_broken(family, CLASS, width - GUTTER), 1)
        name = [Line(line, x + width // 2, CLASS_LINE * k) for k, line in lines]
        lanes[family] = Lane(name, x, width)
    return lanes


def _card_width(lane: Lane) -> int:
    return lane.width - GUTTER


def _solved(
    rows: Sequence[Row], shapes: Mapping[str, _Shape], head: int
) -> tuple[Mapping[str, int], list[Year]]:
    """Find the tops of all cards, and where each year begins, as far up as they may."""
    numbers = range(rows[0].paper.date.year, rows[-1].paper.date.year + 1)
    years = {number: Variable(str(number)) for number in numbers}
    tops = {row.id: Variable(row.id) for row in rows}
    solver = Solver()
    for each in (*years.values(), *tops.values()):
        solver.addConstraint(each >= head)
        solver.addConstraint((each == head) | "weak")
    for year, following in pairwise(years.values()):
        solver.addConstraint(following >= year + SHORTEST_YEAR)
    for row in rows:
        number, top = row.paper.date.year, tops[row.id]
        solver.addConstraint(top >= years[number] + BEFORE)
        if following := years.get(number + 1):
            solver.addConstraint(following >= top + AFTER)
    for above, below, least in _order(rows, shapes):
        solver.addConstraint(tops[below] >= tops[above] + least)
    solver.updateVariables()
    found = {id: round(top.value()) for id, top in tops.items()}
    return found, [Year(n, round(year.value())) for n, year in years.items()]


def _order(
    rows: Sequence[Row], shapes: Mapping[str, _Shape]
) -> Iterator[tuple[str, str, int]]:
    """Yield what stands above what, and how far at least their tops are apart."""
    last_of: dict[str, str] = {}
    seen: dict[str, int] = {}
    for row in rows:
        if above := last_of.get(row.family):
            yield above, row.id, shapes[above].height + GAP
        for earlier in row.builds_on:
            if seen.get(earlier.paper) == row.paper.date.year:
                yield earlier.paper, row.id, BELOW
        last_of[row.family] = row.id
        seen[row.id] = row.paper.date.year


def _arcs(rows: Sequence[Row], cards: Mapping[str, PaperCard]) -> Iterator[Arc]:
    for row in rows:
        for earlier in row.builds_on:
            if source := cards.get(earlier.paper):
                for name in earlier.classes or ("",):
                    path = _path(source, name, cards[row.id])
                    yield Arc(source.id, row.id, name, path)


def _path(source: PaperCard, name: str, target: PaperCard) -> str:
    """Return a curve from the line of a class to the first line of another's name."""
    lines = {port.text: port for port in source.ports} | {"": source.name[0]}
    y0, y1 = lines[name].y - CLASS // 3, target.name[0].y - NAME // 3
    x0, x1 = source.x + source.width, target.x
    if source.x == target.x:
        # Around the cards between them; a curve goes three quarters as far.
        bend = min(GUTTER, 12 + abs(y1 - y0) // 12)
        x1 += target.width
        return f"M{x0} {y0}C{x0 + bend} {y0} {x1 + bend} {y1} {x1} {y1}"
    if target.x < source.x:
        x0, x1 = source.x, target.x + target.width
    bend = (x1 - x0) // 2
    bend = max(bend, GUTTER) if bend > 0 else min(bend, -GUTTER)
    return f"M{x0} {y0}C{x0 + bend} {y0} {x1 - bend} {y1} {x1} {y1}"


def _broken(text: str, size: int, width: int) -> list[str]:
    """Break a text between words into lines."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(longer := f"{lines[-1]} {word}", size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    path = files("font_source_sans_pro") / "files" / "SourceSansPro-Semibold.ttf"
    with as_file(path) as file:
        # Without Raqm letters stand the same on every machine.
        return ImageFont.truetype(file, size, layout_engine=ImageFont.Layout.BASIC)
