"""A notebook's fingerprint: its code, and the definitions of this project it reaches.

The nodes of the graph are definitions, not files, so that an edit makes exactly those
notebooks stale which run what was edited (docs/decisions/0003-notebooks.md).
"""

from __future__ import annotations

import ast
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

from scripts.papers import PACKAGE
from scripts.papers.cells import Cell, is_guard, parse
from scripts.papers.syntax import Import, Uses, behaviour, global_names, is_idle, uses


class Symbol(NamedTuple):
    """A dotted name in a module of this project.

    "" is what the module does when it is imported, "*" all that it holds.
    """

    module: str
    name: str


class Meaning(NamedTuple):
    """The code that a symbol stands for, and the symbols that this needs in turn."""

    text: str
    needs: set[Symbol]


class Fingerprints:
    """Fingerprints of the notebooks of one project, which share most of their code."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._module = cache(self._read)
        self._meaning = cache(self._look_up)

    def of(self, cells: Sequence[Cell], data: str = "") -> str:
        """Hash the cells' code, what it reaches, and the data that it reads.

        CellError when a module that is reached is no Python.
        """
        code = [list(cell.body) for cell in cells if cell.kind == "code"]
        if code and code[0] and is_idle(code[0][0]):  # the module's docstring
            del code[0][0]
        text = "\n\n".join("\n".join(map(behaviour, cell)) for cell in code)
        return _hash([text, *self.reached(cells), data])

    def reached(self, cells: Sequence[Cell], module: str = "") -> list[str]:
        """Return the meanings of all that the cells' code needs of the project.

        Where a module is given, of its definitions alone.
        """
        code = (cell.body for cell in cells if cell.kind == "code")
        statements = [statement for body in code for statement in body]
        symbols = _through_imports(uses(statements, PACKAGE))
        seen: set[Symbol] = set()
        while ahead := symbols - seen:
            seen |= ahead
            symbols = {need for symbol in ahead for need in self._meaning(symbol).needs}
        kept = {symbol for symbol in seen if module in ("", symbol.module)}
        return sorted({self._meaning(symbol).text for symbol in kept})

    def experiments(self, cells: Sequence[Cell], data: str = "") -> str:
        """Hash what a short run does not show: how long and on what a paper trains.

        That is what stands in guarded cells, the numbers among constants and default
        values of the paper's file, how figures are drawn, and the data that it reads.
        """
        code = [cell for cell in cells if cell.kind == "code"]
        parts = [
            f"{place} {behaviour(cell.body)}"
            for place, cell in enumerate(code)
            if cell.guarded
        ]
        definitions = (each for cell in code if not cell.guarded for each in cell.body)
        parts += _settings(definitions)
        parts += self.reached(cells, f"{PACKAGE}.core.plots")
        return _hash([*parts, data])

    def _look_up(self, symbol: Symbol) -> Meaning:
        module = self._module(symbol.module)
        if module is None:
            return Meaning("", set())
        text, needs = self._resolve(module, symbol.name)
        parent = symbol.module.rpartition(".")[0]
        on_import = {Symbol(symbol.module, ""), Symbol(parent, "")} if parent else set()
        return Meaning(text, needs | on_import)

    def _resolve(self, module: Module, name: str) -> Meaning:
        head, _, rest = name.partition(".")
        if not head:
            return module.on_import()
        if head in module.names:
            return module.meaning(head, rest)
        if head != "*" and self._module(inner := f"{module.name}.{head}"):
            return Meaning("", {Symbol(inner, rest or "*")})
        return Meaning("", {Symbol(module.name, bound) for bound in module.names})

    def _read(self, name: str) -> Module | None:
        if name.partition(".")[0] != PACKAGE:
            return None
        path = self._root / name.replace(".", "/")
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.exists():
                return Module(name, file, file.relative_to(self._root).as_posix())
        return None


class Module:
    """A module of this project: what it binds, and what it does on import."""

    def __init__(self, name: str, path: Path, file: str) -> None:
        """Read the module; CellError when it is no Python."""
        source = path.read_text("utf-8")
        self.name = name
        self._package = name if path.stem == "__init__" else name.rpartition(".")[0]
        self._lines = source.encode().split(b"\n")
        self._defined: dict[str, list[ast.stmt]] = defaultdict(list)
        self._imported: dict[str, list[Import]] = defaultdict(list)
        self._effects: list[ast.stmt] = []
        for statement in parse(source, file).body:
            if not is_idle(statement) and not is_guard(statement):
                self._add(statement)

    def _add(self, statement: ast.stmt) -> None:
        if not isinstance(statement, _DEFINITION):
            for imported in uses([statement], self._package).imports:
                self._imported[imported.local].append(imported)
        if isinstance(statement, ast.Import | ast.ImportFrom):
            return
        for name in set(_bound_names(statement)):
            self._defined[name].append(statement)
        if not _only_binds(statement):
            self._effects.append(statement)

    @cached_property
    def names(self) -> set[str]:
        """The names that the module gives a value."""
        return {*self._defined, *self._imported} - {"*"}

    def meaning(self, name: str, rest: str) -> Meaning:
        """Return what defines the name, of which `rest` is used."""
        statements = self._defined.get(name, [])
        imported = self._imported.get(name, [])
        parts = [f"{self.name} {name}", *map(behaviour, statements)]
        parts += sorted(f"{found.module} {found.attribute}" for found in imported)
        needs = self._needs(statements)
        needs |= {_behind(found, rest) for found in imported}
        return Meaning("\n".join(parts), needs)

    def on_import(self) -> Meaning:
        """Return the statements with side effects, and the modules that are run."""
        stars = [star.module for star in self._imported.get("*", ())]
        needs = self._needs(self._effects) | {Symbol(module, "*") for module in stars}
        for imported in (each for group in self._imported.values() for each in group):
            needs |= {Symbol(module, "") for module in imported.runs}
        effects = [*sorted(stars), *map(behaviour, self._effects)]
        return Meaning("\n".join([self.name, *effects]) if effects else "", needs)

    def _needs(self, statements: list[ast.stmt]) -> set[Symbol]:
        needs = set()
        for statement in statements:
            found = uses([statement], self._package)
            needs |= _through_imports(found)
            known = global_names(self._source(statement)) & self.names
            for name in found.names:
                if name.partition(".")[0] in known:
                    needs.add(Symbol(self.name, name))
        return needs

    def _source(self, statement: ast.stmt) -> str:
        decorators = getattr(statement, "decorator_list", [])
        first = min(node.lineno for node in (statement, *decorators))
        lines = self._lines[first - 1 : statement.end_lineno]
        lines[-1] = lines[-1][: statement.end_col_offset]
        lines[0] = lines[0][statement.col_offset :]
        return b"\n".join(lines).decode()


_DEFINITION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _settings(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield the numbers among constants, and default values of functions."""
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.arguments):
                values = [*node.defaults, *filter(None, node.kw_defaults)]
            elif node is statement and isinstance(node, ast.Assign | ast.AnnAssign):
                values = [node.value] if node.value else []
            else:
                continue
            yield from (number for value in values for number in _numbers(value))


def _numbers(value: ast.expr) -> Iterator[str]:
    for node in ast.walk(value):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield repr(node.value)


def _bound_names(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, _DEFINITION):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, _DEFINITION):
            yield node.name


def _only_binds(statement: ast.stmt) -> bool:
    """Return whether the statement gives names a value and changes nothing else."""
    if not isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return isinstance(statement, _DEFINITION)
    return not any(
        isinstance(node, ast.Attribute | ast.Subscript)
        and isinstance(node.ctx, ast.Store)
        for node in ast.walk(statement)
    )


def _through_imports(found: Uses) -> set[Symbol]:
    """Return what code uses of the project by way of its own imports."""
    needs: set[Symbol] = set()
    imported: dict[str, list[Import]] = defaultdict(list)
    for each in found.imports:
        imported[each.local].append(each)
        needs |= {Symbol(module, "") for module in each.runs}
    needs |= {Symbol(star.module, "*") for star in imported.get("*", ())}
    for name in found.names:
        head, _, rest = name.partition(".")
        needs |= {_behind(each, rest) for each in imported.get(head, ())}
    return needs


def _behind(imported: Import, rest: str) -> Symbol:
    name = ".".join(part for part in (imported.attribute, rest) if part)
    return Symbol(imported.module, name or "*")
