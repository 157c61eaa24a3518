"""Notebooks and figures as committed are what the papers' files say and do."""

from __future__ import annotations

import nbformat
import pytest

from scripts.base.project import ROOT
from scripts.execute.outputs import clean
from scripts.papers.cells import Cell
from tests.support.papers import PAPERS

NOTEBOOKS = sorted(path.stem for path in (ROOT / "docs/notebooks").glob("*.ipynb"))
STAMP = {
    *("changed", "device", "executed", "fingerprint"),
    *("experiments", "python", "seconds", "seed", "torch", "trace"),
}


@pytest.mark.parametrize("paper", NOTEBOOKS)
def test_the_notebook_was_executed_to_its_end(paper: str) -> None:
    path = ROOT / "docs" / "notebooks" / f"{paper}.ipynb"
    committed = nbformat.read(path, as_version=4)
    nbformat.validate(committed)
    code = [cell for cell in committed.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    cells = [Cell("code", cell.source, (cell.execution_count,)) for cell in code]
    outputs = [cell.outputs for cell in code]
    again = f"run `make notebooks FORCE=1 ONLY={paper}`"
    assert clean(cells, outputs, path.name) == outputs, again
    assert set(committed.metadata.stamp) - {"replayed"} == STAMP, again


@pytest.mark.parametrize("paper", NOTEBOOKS)
def test_every_notebook_has_a_paper(paper: str) -> None:
    missing = f"implementations/{paper}.py is missing: remove the notebook, or draft it"
    assert paper in PAPERS, missing
