"""Objects are read as text, with what their examples say of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.base.files import write_atomic
from scripts.papers.cells import CellError
from scripts.site.reference import read, read_example

PAPER = '''\
"""A paper."""

class Bend(Univariate):
    """z = g(x)."""

class Layer(Bijection):
    """z_i = g(x_i)."""

    def __init__(self, dim: int, univariate: Univariate) -> None: ...

class Solved(Unsolved):
    """Its inverse has no formula."""

class Twice(Univariate):
    """A map that is made of another."""

    def __init__(self, f: Univariate) -> None: ...

@cache
def mine(dim: int) -> Flow:
    """Build mine for vectors
    of width `dim`.

    Raises:
        ValueError: always.
    """

def mine_too(dim: int): ...

def minesweeper() -> int: ...

def _mine_hidden() -> Flow: ...

class mine_class: ...
'''
EXAMPLE = '''\
"""Shapes: `x` is
`(batch, dim)`.

Source: §3
"""

from implementations.mine import mine

mine(2)
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_atomic(tmp_path / "implementations/mine.py", PAPER)
    write_atomic(tmp_path / "implementations/core/flow.py", "class Flow: ...\n")
    write_atomic(tmp_path / "docs/reference/examples/mine.py", EXAMPLE)
    return tmp_path


def test_builders_maps_and_conditioners_are_told_by_their_form(root: Path) -> None:
    reference = read(root, ["mine"])
    [mine, too] = reference.builders["mine"]
    assert (mine.path, too.path) == (
        "implementations.mine.mine",
        "implementations.mine.mine_too",
    )
    assert [each.name for each in reference.maps] == ["Bend", "Solved", "Twice"]
    assert [each.name for each in reference.conditioners] == ["Layer"]
    [flow] = reference.of("flow.Flow")
    assert (flow.file, flow.paper) == ("implementations/core/flow.py", "core")


def test_what_is_said_of_an_object_is_read(root: Path) -> None:
    [mine, too] = read(root, ["mine"]).builders["mine"]
    assert mine.summary == "Build mine for vectors of width `dim`."
    assert (mine.raises, too.raises) == (True, False)
    assert (mine.returns, too.returns) == ("Flow", "")
    first, last = mine.lines
    lines = PAPER.splitlines()[first - 1 : last]
    assert lines[0].startswith("def mine(") and lines[-1].strip() == '"""'
    assert mine.facts == {"Shapes": "`x` is `(batch, dim)`.", "Source": "§3"}
    assert mine.example == "from implementations.mine import mine\n\nmine(2)"
    assert (too.facts, too.example) == ({}, "")


def test_an_example_says_something(root: Path) -> None:
    write_atomic(root / "docs/reference/examples/mine.py", "mine(2)\n")
    with pytest.raises(CellError, match=r"examples/mine\.py:1: expected a docstring"):
        read_example(root, "mine")
