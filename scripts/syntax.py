"""What a statement does and which names it uses, alike on every supported Python."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator
from typing import NamedTuple


def behaviour(node: object) -> str:
    """Write a syntax tree without docstrings, positions and empty fields."""
    if isinstance(node, list):
        return f"[{','.join(behaviour(child) for child in node if not is_idle(child))}]"
    if not isinstance(node, ast.AST):
        return ascii(node)
    if isinstance(node, ast.Constant):
        return f"{type(node.value).__name__}:{node.value!a}"
    if isinstance(node, ast.JoinedStr):
        return f"JoinedStr({','.join(_pieces(node))})"
    fields = (
        f"{name}={written}"
        for name, value in ast.iter_fields(node)
        if value is not None and name not in ("ctx", "kind")
        if (written := behaviour(value)) not in ("[]", "JoinedStr()")
    )
    return f"{type(node).__name__}({','.join(fields)})"


def is_idle(node: object) -> bool:
    """Whether it is a statement that does nothing: a docstring, `...` or `pass`."""
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


def imports(node: ast.AST, package: str) -> Iterator[Import]:
    """Yield the imports in a tree, also those in functions; `package` is its own."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import):
            for alias in inner.names:
                module = alias.name if alias.asname else alias.name.partition(".")[0]
                yield Import(alias.asname or module, module, "", (alias.name,))
        elif isinstance(inner, ast.ImportFrom):
            module = _absolute(inner, package)
            for name, local in ((alias.name, alias.asname) for alias in inner.names):
                # What is imported from a package may be a module of it.
                yield Import(local or name, module, name, (module, f"{module}.{name}"))


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parents = package.split(".")
    kept = parents[: len(parents) - node.level + 1]
    return ".".join([*kept, node.module] if node.module else kept)


def dotted_names(node: ast.AST) -> Iterator[str]:
    """Yield the names in a tree, each as far as its dots go: `plots.show`."""
    if name := _dotted(node):
        yield name
        return
    for child in ast.iter_child_nodes(node):
        yield from dotted_names(child)


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (head := _dotted(node.value)):
        return f"{head}.{node.attr}"
    return ""


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
