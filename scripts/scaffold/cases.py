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
    for name, value in _table(tree, "CASES").items():
        if named := _named(value, papers):
            found[name] = max(named, key=oldest_first.index)
    return found


def unasked(cases: str, modules: Mapping[str, str], module: str) -> list[str]:
    """Return the module's bijections that no case builds, also by way of a builder.

    `cases` is the source of tests/flows/cases.py, whose UNASKED names some with the
    reason; `modules` are all files of flows by their sources. What a definition names
    it may build: so none is told of that a case might build.
    """
    tree = parse(cases, FILE.as_posix())
    defined, bases = _definitions(tree), {}
    for file, source in modules.items():
        parsed = parse(source, file)
        for name, named in _definitions(parsed).items():
            defined[name] = defined.get(name, set()) | named
        bases |= {name: _named_bases(node) for name, node in _classes(parsed).items()}
    reached, new = {*_table(tree, "UNASKED")}, {"CASES"}
    while new:
        reached |= new
        new = {name for each in new for name in defined.get(each, ())} - reached
    own = _classes(parse(modules[module], module))
    return [n for n in own if n not in reached and _is_bijection(n, bases)]


def _classes(tree: ast.Module) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _named_bases(node: ast.ClassDef) -> set[str]:
    return {ast.unparse(base).rpartition(".")[2] for base in node.bases}


def _definitions(tree: ast.Module) -> dict[str, set[str]]:
    """Name that the module defines, or imports by another → the names it mentions."""
    found: dict[str, set[str]] = {}
    for node in tree.body:
        named = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = named
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {ast.unparse(target): named for target in targets}
        elif isinstance(node, ast.ImportFrom):
            found |= {each.asname: {each.name} for each in node.names if each.asname}
    return found


def _is_bijection(name: str, bases: Mapping[str, set[str]]) -> bool:
    return name == "Bijection" or any(
        _is_bijection(base, bases) for base in bases.get(name, ())
    )


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


def _table(tree: ast.Module, name: str) -> dict[str, ast.expr]:
    """Return what stands in a dictionary of the file: CASES, each as it is built."""
    tables = (
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name
    )
    table = next(tables, None)
    if not isinstance(table, ast.Dict):
        return {}
    return {
        key.value: value
        for key, value in zip(table.keys, table.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }
