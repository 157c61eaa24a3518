"""What is committed is what the papers' files say and do."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from scripts.notebook.cells import Cell
from scripts.notebook.fingerprint import Fingerprints
from scripts.notebook.ipynb import papers, read
from scripts.notebook.outputs import clean

ROOT = Path(__file__).parents[2]
PAPERS = papers(ROOT)
STAMP = {
    *("changed", "device", "executed", "fingerprint"),
    *("experiments", "python", "seconds", "seed", "torch", "trace"),
}


@pytest.mark.parametrize("name", PAPERS)
def test_the_notebook_is_fresh(name: str) -> None:
    state = read(ROOT, name, Fingerprints(ROOT)).state
    assert state == "fresh", f"{state}: run `make notebooks ONLY={name}`"


@pytest.mark.parametrize("name", PAPERS)
def test_the_notebook_was_executed_to_its_end(name: str) -> None:
    path = ROOT / "docs" / "notebooks" / f"{name}.ipynb"
    committed = nbformat.read(path, as_version=4)
    nbformat.validate(committed)
    code = [cell for cell in committed.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    cells = [Cell("code", cell.source, (cell.execution_count,)) for cell in code]
    outputs = [cell.outputs for cell in code]
    again = f"run `make notebooks FORCE=1 ONLY={name}`"
    assert clean(cells, outputs, path.name) == outputs, again
    assert set(committed.metadata.stamp) - {"replayed"} == STAMP, again


def test_every_notebook_has_a_paper() -> None:
    committed = {path.stem for path in (ROOT / "docs" / "notebooks").glob("*.ipynb")}
    assert committed == set(PAPERS), "run `make notebooks`, and remove the others"
