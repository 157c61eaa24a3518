"""The plots of the growth of time: their lines, names and scales, and the page's."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from scripts.base.project import ROOT
from scripts.results.files import read
from scripts.results.scaling import Cost, ScalingResults, curves
from scripts.site.measured.curves import BOTTOM, LEFT, LINE, RIGHT, TOP, growths, names
from tests.support.visit import PHONE, Visit

RESULTS = ROOT / "benchmarks" / "results" / "scaling.json"


@pytest.fixture(scope="module")
def results() -> ScalingResults:
    return read(ScalingResults, RESULTS)


def our_sampling(rows: Iterable[Cost]) -> tuple[Cost, ...]:
    """The rows of our sampling on one thread."""
    wanted = ("ours", 1, "sample")
    return tuple(row for row in rows if (row.library, row.threads, row.task) == wanted)


def with_peer(results: ScalingResults) -> ScalingResults:
    """Our sampling, and a peer's curve, which ends early and is four times as high."""

    def slower(row: Cost) -> Cost:
        seconds = tuple(4 * each for each in row.seconds)
        return row.model_copy(update={"library": "zuko", "seconds": seconds})

    ours = our_sampling(results.along_dim)
    theirs = [slower(row) for row in ours if row.dim < 512]
    batches = our_sampling(results.along_batch)
    return results.model_copy(
        update={"along_dim": (*ours, *theirs), "along_batch": batches}
    )


def points(line: str) -> list[tuple[float, float]]:
    pairs = (pair.split(",") for pair in line.split())
    return [(float(x), float(y)) for x, y in pairs]


def test_of_ours_alone_nothing_is_drawn(results: ScalingResults) -> None:
    alone = {
        along: our_sampling(getattr(results, along))
        for along in ("along_dim", "along_batch")
    }
    assert growths(results.model_copy(update=alone)) is None


def test_a_line_has_a_point_for_each_size(results: ScalingResults) -> None:
    drawn = growths(with_peer(results))
    assert drawn
    by_dim, _ = drawn.figures["sample"].rows
    assert (by_dim.along, by_dim.fixed) == ("dim", 1024)
    assert by_dim.sizes == [(LEFT, 8), ((LEFT + RIGHT) / 2, 64), (RIGHT, 512)]
    for plot in by_dim.plots:
        ours, theirs = (points(stroke.points) for stroke in plot.strokes)
        assert (len(ours), len(theirs)) == (7, 6)
        assert (ours[0][0], ours[-1][0]) == (LEFT, RIGHT)
        # On a scale of logarithms four times as slow is as far above everywhere.
        above = [y - other for (_, y), (_, other) in zip(ours, theirs, strict=False)]
        assert max(above) - min(above) < 0.3 < min(above)
        assert plot.ends["ours"][0] == 512 and plot.ends["zuko"][0] == 256
        assert {name.library: name.x for name in plot.names}["zuko"] < RIGHT


def test_all_lines_of_a_task_are_inside_one_scale(results: ScalingResults) -> None:
    drawn = growths(with_peer(results))
    assert drawn
    for figure in drawn.figures.values():
        ys = [
            y
            for row in figure.rows
            for plot in row.plots
            for stroke in plot.strokes
            for _, y in points(stroke.points)
        ]
        assert (min(ys), max(ys)) == (TOP, BOTTOM)
        assert all(TOP <= y <= BOTTOM for y, _ in figure.ms)


@pytest.mark.parametrize("y", [TOP, 80.0, BOTTOM])
def test_names_stand_apart_and_inside(y: float) -> None:
    """Also where all lines end at one point."""
    libraries = ("ours", "zuko", "nflows", "normflows")
    found = names(dict.fromkeys(libraries, (RIGHT, y)))
    assert [name.library for name in found] == [*libraries]
    for upper, lower in pairwise(found):
        assert lower.y - upper.y >= LINE
    assert all(TOP <= name.y <= BOTTOM for name in found)


def test_the_page_draws_every_curve_or_says_that_there_is_none(
    visit: Visit, results: ScalingResults
) -> None:
    page = visit.open("compare/")
    text = page.locator("article").text_content() or ""
    drawn = growths(results)
    assert ("on one thread and on more: not measured yet" in text) != bool(drawn)
    both = (results.along_dim, results.along_batch)
    number = sum(len(curves(rows)) for rows in both) if drawn else 0
    expect(page.locator("figure.growth polyline")).to_have_count(number)
    if drawn:
        assert_readable(page)


def assert_readable(page: Page) -> None:
    """On a phone too: plots inside the page, and letters of 9 pixels at least."""
    page.set_viewport_size(PHONE)
    for plot in page.locator("figure.growth svg:visible").all():
        box = plot.bounding_box()
        assert box and 0 <= box["x"] and box["x"] + box["width"] <= PHONE["width"]
        assert box["width"] / 250 * 11 >= 9
