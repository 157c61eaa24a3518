"""Which paper each case of the contract belongs to: read from tests/flows/cases.py.

A case names the classes and functions that it is made of. It belongs to the newest of
their papers: `Coupling(4, Spline(5), …)` to that of the spline, not to that of the
coupling. So it needs no label, and whoever adds a line has said all.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from scripts.papers.cells import parse

FILE = Path("tests") / "flows" / "cases.py"
_PACKAGE = "implementations."


def owners(source: str, oldest_first: Sequence[str]) -> dict[str, str]:
    """Name of a case → the paper that it belongs to, if it is made of any.

    `source` is that of tests/flows/cases.py; CellError when it is no Python.
    """
    tree = parse(source, FILE.as_posix())
    papers = _imported(tree, oldest_first)
    # Helpers of the file stand for what they name in their turn.
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            papers.setdefault(node.name, _named(node, papers))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            papers.setdefault(node.targets[0].id, _named(node.value, papers))
    found = {}
    for name, value in _cases(tree).items():
        if named := _named(value, papers):
            found[name] = max(named, key=oldest_first.index)
    return found


def _imported(tree: ast.Module, papers: Collection[str]) -> dict[str, set[str]]:
    """Name that the file imports → its paper."""
    return {
        alias.asname or alias.name: {paper}
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module
        if (paper := node.module.removeprefix(_PACKAGE)) in papers
        for alias in node.names
    }


def _named(node: ast.AST, papers: Mapping[str, set[str]]) -> set[str]:
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return {paper for name in names for paper in papers.get(name, ())}


def _cases(tree: ast.Module) -> dict[str, ast.expr]:
    """Name of a case → how it is built."""
    tables = (
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "CASES"
    )
    table = next(tables, None)
    if not isinstance(table, ast.Dict):
        return {}
    return {
        key.value: value
        for key, value in zip(table.keys, table.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }
