"""The page of straight lines: where points stand, and what is said of a field."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from scripts.results.files import write
from scripts.results.forms import Machine
from scripts.results.straight import Carried, EulerError, StraightLines
from scripts.site.measured.curves import BOTTOM, LEFT, TOP
from scripts.site.measured.straight import ARROW, RIGHT, Lines, straight_lines


def carried(name: str, errors: tuple[float, float], speed: float) -> Carried:
    """A field of two arrows, and one path of three points, two of them one."""
    return Carried(
        paper="nice",
        name=name,
        training="hand",
        steps=10,
        parameters=10,
        seconds=(3.0, 1.0, 2.0),
        gap=(0.5, 0.1, 0.2),
        bend=(0.4, 0.3, 0.1),
        euler=tuple(
            EulerError(evaluations=n, error=(error, error, 9.0))
            for n, error in zip((1, 8), errors, strict=True)
        ),
        adaptive=(20.0, 26.0, 32.0),
        paths=(((-2.0, 2.0), (0.0, 0.0), (0.001, 0.0), (2.0, -2.0)),),
        field=((speed, 0.0), (0.0, speed)),
    )


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    """What is made of two flows, of which the second is twice as fast."""
    report = StraightLines(
        date=datetime.date(2026, 11, 30),
        machine=Machine(cores=2, model="a", memory_gb=1),
        versions={"torch": "2"},
        threads=1,
        gpu="not measured",
        target="two points",
        batch=2,
        tolerance=1e-5,
        reach=2.0,
        grid=((0.0, 0.0), (1.0, 1.0)),
        flows=(carried("slow", (1.0, 0.1), 1.0), carried("fast", (0.5, 0.01), 2.0)),
    )
    write(report, tmp_path / "straight.json")
    found = straight_lines(tmp_path)
    assert found
    return found


def test_nothing_is_shown_before_it_is_measured(tmp_path: Path) -> None:
    assert straight_lines(tmp_path) is None


def test_up_is_up_and_a_point_stands_once(lines: Lines) -> None:
    panel = lines.panels[0]
    assert panel.paths == "M0 0L200 200 400 400"
    assert (panel.starts, panel.ends) == ("M0 0h0", "M400 400h0")


def test_arrows_of_all_panels_have_one_scale(lines: Lines) -> None:
    slow, fast = lines.panels
    assert fast.field == f"M200 200l{ARROW:g} 0M300 100l0 -{ARROW:g}"
    assert slow.field == f"M200 200l{ARROW / 2:g} 0M300 100l0 -{ARROW / 2:g}"


def test_rows_have_medians(lines: Lines) -> None:
    row = lines.rows[0]
    assert (row.seconds, row.gap, row.bend, row.adaptive) == (2.0, 0.2, 0.3, 26.0)
    assert (row.one_step, row.eight) == (1.0, 0.1)
    assert lines.bends == "slow 0.30, fast 0.30"
    assert lines.seeds == 3


def test_the_plot_reaches_from_the_least_error_to_the_largest(lines: Lines) -> None:
    strokes = dict(lines.plot.strokes)
    assert strokes["slow"].split()[0] == f"{LEFT:g},{TOP:g}"
    assert strokes["fast"].split()[-1] == f"{RIGHT:g},{BOTTOM:g}"
    assert [words for _, words in lines.plot.errors] == ["0.01", "0.1", "1"]
    assert {name.library for name in lines.plot.names} == {"slow", "fast"}
