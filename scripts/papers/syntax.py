"""Statements' deeds and the names they use, alike on every supported Python."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator, Sequence
from typing import NamedTuple


def behaviour(node: object) -> str:
    """Write a syntax tree without docstrings, positions and empty fields."""
    if isinstance(node, list):
        return (
            f"[{','.join([behaviour(child) for child in node if not is_idle(child)])}]"
        )
    if not isinstance(node, ast.AST):
        return ascii(node)
    if isinstance(node, ast.Constant):
        return f"{type(node.value).__name__}:{node.value!a}"
    if isinstance(node, ast.JoinedStr):
        return f"JoinedStr({','.join(_pieces(node))})"
    fields = [
        f"{name}={written}"
        for name in node._fields
        if (value := getattr(node, name, None)) is not None
        if name not in ("ctx", "kind")
        if (written := behaviour(value)) != "[]"
    ]
    return f"{type(node).__name__}({','.join(fields)})"


def is_idle(node: object) -> bool:
    """Return whether a statement does nothing: a docstring, `...` or `pass`."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Pass)


def _pieces(string: ast.JoinedStr) -> Iterator[str]:
    """Yield an f-string's pieces; Pythons differ in where they cut its plain text."""
    plain = ""
    for value in (*string.values, None):
        if isinstance(value, ast.Constant):
            plain += str(value.value)
            continue
        if plain:
            yield behaviour(ast.Constant(plain))
        if value:
            yield behaviour(value)
        plain = ""


class Import(NamedTuple):
    """The name that an import binds and what it means, and the modules it may run.

    `attribute` of `module`: "" is the module itself, "*" all that it offers.
    """

    local: str
    module: str
    attribute: str
    runs: tuple[str, ...]


class Uses(NamedTuple):
    """Names in code, each as far as its dots go (`plots.show`), and its imports."""

    names: set[str]
    imports: list[Import]


def uses(nodes: Sequence[ast.AST], package: str) -> Uses:
    """Find all names and imports in syntax trees; `package` is the code's own."""
    found = Uses(set(), [])
    ahead = list(nodes)
    while ahead:
        node = ahead.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.imports.extend(_imports(node, package))
        elif name := _dotted(node):
            found.names.add(name)
        else:
            ahead.extend(_children(node))
    return found


def _imports(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[Import]:
    for name, local in ((alias.name, alias.asname) for alias in node.names):
        if isinstance(node, ast.ImportFrom):
            module = _absolute(node, package)
            # What is imported from a package may be a module of it.
            yield Import(local or name, module, name, (module, f"{module}.{name}"))
        else:
            module = name if local else name.partition(".")[0]
            yield Import(local or module, module, "", (name,))


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parents = package.split(".")
    kept = parents[: len(parents) - node.level + 1]
    return ".".join([*kept, node.module] if node.module else kept)


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (head := _dotted(node.value)):
        return f"{head}.{node.attr}"
    return ""


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what ast.iter_child_nodes does, in half the time."""
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            yield value
        elif isinstance(value, list):
            yield from (child for child in value if isinstance(child, ast.AST))


def global_names(source: str) -> set[str]:
    """Names that the code looks up outside of all its functions and classes."""
    return set(_globals(symtable.symtable(source, "", "exec")))


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    module = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() if module else symbol.is_global():
            yield symbol.get_name()
    for child in table.get_children():
        yield from _globals(child)
