"""The reference's examples run; so do the snippets that lead to it."""

from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path

import pytest
import torch

from scripts.base.project import ROOT
from scripts.papers import EXAMPLES
from scripts.site.reference import read, read_example
from tests.support.papers import PAPERS

FOLDER = ROOT / EXAMPLES


def paper_of(example: Path) -> str:
    """The paper in whose file the example's object stands, or "core"."""
    for node in ast.walk(ast.parse(example.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            if example.stem in [each.name for each in node.names]:
                return node.module.split(".")[1]
    raise AssertionError(f"{example.name} imports no {example.stem}")


@pytest.mark.parametrize(
    ("paper", "example"),
    [
        pytest.param(paper_of(path), path, id=path.stem)
        for path in sorted(FOLDER.glob("*.py"))
    ],
)
def test_an_example_runs(paper: str, example: Path) -> None:
    torch.manual_seed(0)
    runpy.run_path(str(example))
    facts, code = read_example(ROOT, example.stem)
    assert facts["Shapes"] and code
    assert ("Source" in facts) == (paper != "core")


@pytest.mark.parametrize("paper", PAPERS)
def test_a_builder_has_an_example(paper: str) -> None:
    file = f"{EXAMPLES}/{paper}.py"
    assert (ROOT / file).exists(), f"{file} is missing: write it as nice.py is written"


def test_a_map_and_what_steers_it_have_examples() -> None:
    found = read(ROOT, PAPERS)
    listed = (*found.maps, *found.conditioners)
    assert [each.name for each in listed if not each.example] == []


@pytest.mark.parametrize("page", ["README.md", "docs/reference/index.md"])
def test_a_snippet_runs(page: str) -> None:
    snippets = re.findall(r"(?s)```python\n(.*?)```", (ROOT / page).read_text("utf-8"))
    assert snippets
    for snippet in snippets:
        exec(compile(snippet, page, "exec"), {})
