"""A catalogue or a notebook at fault stops the build, and says why."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_output

from tests.support.building import build


@pytest.mark.thorough
def test_a_notebook_that_raised_is_not_published(project: Path, tmp_path: Path) -> None:
    path = project / "docs/notebooks/nice.ipynb"
    notebook = nbformat.read(path, as_version=4)
    error = new_output("error", ename="ValueError", evalue="oh", traceback=[])
    number = next(i for i, c in enumerate(notebook.cells, 1) if c.cell_type == "code")
    notebook.cells[number - 1].outputs = [error]
    nbformat.write(notebook, path)
    run = build(project, tmp_path / "site")
    assert run.returncode == 1
    assert f"nice.ipynb, cell {number}: it raised ValueError: oh" in run.stderr


@pytest.mark.thorough
def test_every_fault_of_the_catalogue_is_told(project: Path, tmp_path: Path) -> None:
    path = project / "resources.yaml"
    text = path.read_text("utf-8")
    broken = text.replace("title: ", "titel: ", 2)
    assert broken != text
    path.write_text(broken, "utf-8")
    run = build(project, tmp_path / "site")
    assert run.returncode == 1
    assert run.stderr.count("resources.yaml:") >= 2
    assert "titel" in run.stderr
    assert "Traceback" not in run.stderr
    assert not list(tmp_path.glob("site/*.html"))


@pytest.mark.thorough
def test_a_dead_link_in_a_page_stops_the_build(project: Path, tmp_path: Path) -> None:
    home = project / "docs/index.md"
    home.write_text(home.read_text("utf-8") + "\n[nowhere](none.md)\n", "utf-8")
    run = build(project, tmp_path / "site")
    assert run.returncode == 1
    assert "'none.md'" in run.stderr
