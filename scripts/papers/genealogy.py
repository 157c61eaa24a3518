"""Imports between papers' files → which flow builds on which.

An import at module level means "builds on", one inside a guard "compared with".
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from scripts.papers import PACKAGE, implemented
from scripts.papers.cells import is_guard, parse


class PaperImport(NamedTuple):
    """An earlier paper, and the classes and functions that are taken from it."""

    paper: str
    names: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The ideas among the names: maps, layers, networks."""
        return tuple(name for name in self.names if name[0].isupper())


class Kin(NamedTuple):
    """The imports of a paper's file from other papers, in their order of name."""

    builds_on: tuple[PaperImport, ...] = ()
    compared_with: tuple[PaperImport, ...] = ()


Genealogy = Mapping[str, Kin]
"""Id of an implemented paper → its kin."""


def genealogy(root: Path) -> Genealogy:
    """Read the imports of all papers' files; CellError for one that is no Python."""
    papers = set(implemented(root / PACKAGE))
    return {
        paper: _kin(root / PACKAGE / f"{paper}.py", papers) for paper in sorted(papers)
    }


def reused_by(paper: str, genealogy: Genealogy) -> list[str]:
    """Ids of the papers that build on this one."""
    return [
        other
        for other, kin in genealogy.items()
        if any(earlier.paper == paper for earlier in kin.builds_on)
    ]


def _kin(file: Path, papers: set[str]) -> Kin:
    tree = parse(file.read_text("utf-8"), f"{PACKAGE}/{file.name}")
    guards = [node for node in tree.body if is_guard(node)]
    guarded = [node for guard in guards for node in ast.walk(guard)]
    builds_on = _grouped(_imports(tree.body, papers))
    known = {earlier.paper for earlier in builds_on}
    compared = _grouped(_imports(guarded, papers - known))
    return Kin(builds_on, compared)


def _imports(nodes: Iterable[ast.AST], papers: set[str]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            package, _, paper = node.module.rpartition(".")
            if package == PACKAGE and paper in papers:
                yield from ((paper, alias.name) for alias in node.names)


def _grouped(imports: Iterator[tuple[str, str]]) -> tuple[PaperImport, ...]:
    names: dict[str, list[str]] = {}
    for paper, name in imports:
        names.setdefault(paper, []).append(name)
    return tuple(PaperImport(paper, tuple(names[paper])) for paper in sorted(names))
