"""Pages made side by side: which come back, and which are left to who asks again."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import nbformat
import pytest
from mkdocs_jupyter.nbconvert2 import nb2html
from nbconvert.exporters import templateexporter
from nbconvert.exporters.exporter import Exporter

from scripts.site.conversion import prepare, side_by_side


def describe(page: str) -> str:
    """Say which page it is, and which process says so; fail for b."""
    if page == "b":
        raise ValueError("b is at fault")
    return f"{page} {os.getpid()}"


PAGES = {page: partial(describe, page) for page in "abc"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks on Linux only")
def test_pages_come_back_from_other_processes_but_those_at_fault() -> None:
    made = side_by_side(PAGES)
    assert list(made) == ["a", "c"]
    for page, html in made.items():
        named, process = html.split()
        assert named == page
        assert int(process) != os.getpid()


def test_elsewhere_none_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert side_by_side(PAGES) == {}


def test_without_pages_nothing_is_forked() -> None:
    assert side_by_side({}) == {}


def test_templates_are_compiled_and_notebooks_validated_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = {"compiled": 0, "validated": 0}

    def counted(what: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def count(*args: Any, **options: Any) -> Any:
            done[what] += 1
            return original(*args, **options)

        return count

    extensions = [*templateexporter.JINJA_EXTENSIONS]
    monkeypatch.setattr(templateexporter, "JINJA_EXTENSIONS", extensions)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "")
    for what, where, name in (
        ("compiled", jinja2.Environment, "_compile"),
        ("validated", Exporter, "_validate_preprocessor"),
    ):
        monkeypatch.setattr(where, name, counted(what, getattr(where, name)))
    prepare(tmp_path / "templates")
    before = done
    for name in "ab":
        before = dict(done)
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(name)])
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
        assert name in nb2html(str(tmp_path / f"{name}.ipynb"))
        assert done["validated"] == before["validated"] + 1
    assert before["compiled"] > 0
    assert done["compiled"] == before["compiled"]
