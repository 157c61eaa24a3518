"""The form that all notebooks share: their parts, diagram, exercises and thumbnail."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from itertools import pairwise
from pathlib import Path

import pytest

from implementations.core.pictures import LIGHT, SHOWN
from implementations.core.plots import SINGLE
from scripts.papers.cells import Cell, export
from tests.support.exercises import HEADING, edited_source, exercises, source
from tests.support.papers import PAPERS, ROOT

PARTS = [
    "## The idea in one picture",
    "## Symbols and direction",
    "## What the paper claims, and what holds",
    "## Three things to remember",
    HEADING,
    "## What to read next",
]


def cells(paper: str) -> list[Cell]:
    return export(source(paper), f"{paper}.py")


def prose(cell: Cell) -> str:
    """The cell's words, without formulas, code, tables and addresses."""
    text = re.sub(r"(?s)\$\$.*?\$\$|\$[^$]*\$|```.*?```", " x ", cell.source)
    text = re.sub(r"(?m)^\|.*$|<[^>]+>|\]\([^)]*\)", " ", text)
    return text if cell.kind == "markdown" else ""


def words(text: str) -> int:
    return len(re.findall(r"\w[\w'’-]*", text))


@pytest.mark.parametrize("paper", PAPERS)
def test_the_parts_stand_in_their_order(paper: str) -> None:
    lines = "\n".join(c.source for c in cells(paper) if c.kind == "markdown")
    headings = re.findall("(?m)^## .*$", lines)
    assert [heading for heading in headings if heading in PARTS] == PARTS


@pytest.mark.parametrize("paper", PAPERS)
def test_headings_have_no_formula(paper: str) -> None:
    """The table of contents would show its source."""
    lines = "\n".join(c.source for c in cells(paper) if c.kind == "markdown")
    assert [h for h in re.findall("(?m)^#+ .*$", lines) if "$" in h] == []


@pytest.mark.parametrize("paper", PAPERS)
def test_the_problem_comes_first(paper: str) -> None:
    """A picture after 120 words at most, and with one formula at most."""
    found = cells(paper)
    first = next(k for k, cell in enumerate(found) if "plot" in cell.tags)
    before = [cell for cell in found[:first] if cell.kind == "markdown"]
    assert sum(words(prose(cell)) for cell in before) <= 120
    assert sum(cell.source.count("$$") for cell in before) <= 2
    headings = re.findall("(?m)^#.*$", "\n".join(cell.source for cell in before))
    assert len(headings) == 1


@pytest.mark.parametrize("paper", PAPERS)
def test_it_reads_in_a_quarter_of_an_hour(paper: str) -> None:
    assert sum(words(prose(cell)) for cell in cells(paper)) <= 2500


@pytest.mark.parametrize("paper", PAPERS)
def test_the_idea_is_drawn(paper: str) -> None:
    found = cells(paper)
    heading = next(k for k, c in enumerate(found) if c.source.startswith(PARTS[0]))
    assert "plot" in next(c for c in found[heading:] if c.kind == "code").tags
    assert "implementations.core.diagrams" in source(paper)


@pytest.mark.parametrize("paper", PAPERS)
def test_the_symbols_are_few(paper: str) -> None:
    text = "\n".join(c.source for c in cells(paper) if c.kind == "markdown")
    section = text.partition(PARTS[1])[2].partition("\n## ")[0]
    rows = re.findall(r"(?m)^\|.*\|$", section)
    assert rows[0] == "| Symbol | In code | Meaning |"
    assert 1 <= len(rows) - 2 <= 4
    assert "`forward`" in section


@pytest.mark.parametrize("paper", PAPERS)
def test_two_or_three_claims_are_told_and_all_are_folded(paper: str) -> None:
    code = [cell for cell in cells(paper) if cell.kind == "code"]
    calls = [re.findall(r"\b(claim|all_checks)\(", c.source) for c in code]
    made = [name for names in calls for name in names]
    assert 2 <= made.count("claim") <= 3
    assert made.count("all_checks") == 1
    assert made[-1] == "all_checks"


@pytest.mark.parametrize("paper", PAPERS)
def test_no_legend_lies_on_a_curve(paper: str) -> None:
    assert ".legend(" not in source(paper), "use plots.label_lines, or plots.legend"


@pytest.mark.parametrize("paper", PAPERS)
def test_there_are_three_exercises_whose_edits_can_be_made(paper: str) -> None:
    found = exercises(paper)
    assert len(found) == 3
    for number, exercise in enumerate(found, 1):
        assert "?" in exercise.question
        edited_source(paper, number)
    tests = ROOT / "tests" / "papers" / paper / "test_exercises.py"
    made = re.findall(r"edited\(\S+, (\d)\)", tests.read_text("utf-8"))
    assert {*made} == {"1", "2", "3"}


def shown(paper: str) -> list[tuple[bytes, dict]]:
    """Each PNG that the executed notebook shows, and what is said of it."""
    path = Path(ROOT, "docs", "notebooks", f"{paper}.ipynb")
    outputs = [
        output
        for cell in json.loads(path.read_text("utf-8"))["cells"]
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    return [
        (b64decode("".join(o["data"]["image/png"])), o["metadata"]["image/png"])
        for o in outputs
    ]


@pytest.mark.parametrize("paper", PAPERS)
def test_there_is_one_thumbnail(paper: str) -> None:
    [png] = [png for png, about in shown(paper) if "thumbnail" in about]
    assert len(png) <= LIGHT


@pytest.mark.parametrize("paper", PAPERS)
def test_panels_are_narrow_enough_for_a_phone(paper: str) -> None:
    """Letters of 10 points are then 9 pixels high, and 4 panels fit on a desktop."""
    for _, about in shown(paper):
        if "thumbnail" not in about:
            ends = [0, *about["cuts"], 1]
            assert len(ends) <= 5, about["alt"]
            widest = max(b - a for a, b in pairwise(ends))
            assert widest * about["width"] <= SHOWN * SINGLE, about["alt"]
