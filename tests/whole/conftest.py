"""One tiny project, made once; each test works on a copy of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.whole.tree import Tree


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Return the project as it is before any command."""
    return Tree.make(tmp_path_factory.mktemp("old"))


@pytest.fixture
def tree(old: Tree, tmp_path: Path) -> Tree:
    """Return a copy of the project."""
    return old.copy(tmp_path / "home")


@pytest.fixture
def copies(old: Tree, tmp_path: Path) -> Callable[[int], Tree]:
    """Return numbered copies of the project."""
    return lambda number: old.copy(tmp_path / str(number))
