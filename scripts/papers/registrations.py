"""A paper's registration, read as text: its family, what it joins and leaves out.

`implementations/registrations/` has one file a paper; nothing of them runs here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from scripts.papers import PACKAGE
from scripts.papers.cells import CellError, parse

# Family, in the gallery's order → the tag by which a draft is put into it.
FAMILIES = {
    "Coupling flows": "coupling",
    "Autoregressive flows": "autoregressive",
    "Splines": "spline",
    "Gaussianization": "gaussianization",
    "Continuous flows": "continuous-time",
    "Manifolds": "manifolds",
    "Sampling": "sampling",
    "Variational inference": "variational-inference",
    "Bayesian networks": "bayesian-networks",
    "Graphs": "graphs",
    "Surveys": "review",
}


class Unpromised(NamedTuple):
    """An exemption: promises of the contract, and questions to all, that fail."""

    flow: str
    reason: str
    promises: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()


class Registered(NamedTuple):
    """A registration without its code.

    `compared` tells for each name whether its events are points of the plane.
    """

    family: str
    cases: tuple[str, ...]
    compared: dict[str, bool]
    unmeasured: str
    examined: tuple[str, ...]
    unpromised: tuple[Unpromised, ...]

    @property
    def waiting(self) -> bool:
        """Flows are registered, and a maintainer is still to measure them."""
        return bool(self.compared and self.unmeasured)


def file(paper: str) -> str:
    """The path of the paper's registration."""
    return f"{PACKAGE}/registrations/{paper}.py"


def family(root: Path, paper: str) -> str:
    """The paper's family; none where its registration is missing or cannot be read."""
    try:
        return read(root, paper).family
    except CellError:
        return ""


def read(root: Path, paper: str) -> Registered:
    """Read a paper's registration; CellError at the line that cannot be read so."""
    return _RegistrationReader(root, paper).registered()


class _RegistrationReader:
    def __init__(self, root: Path, paper: str) -> None:
        self._root, self._file = root, file(paper)
        if not (root / self._file).exists():
            problem = f"is missing: write it as {file('nice')} is written"
            raise CellError(self._file, 1, problem)
        self._tree = parse((root / self._file).read_text("utf-8"), self._file)

    def registered(self) -> Registered:
        given = self._arguments()
        compared = self._calls(given.get("compared"))
        return Registered(
            self._family(given.get("family")),
            self._names(given.get("cases")),
            {self._text(call.args[0]): not _has_shape(call) for call in compared},
            self._text(given["unmeasured"]) if "unmeasured" in given else "",
            tuple(self._text(c.args[0]) for c in self._calls(given.get("examined"))),
            (*self._unpromised(self._tree), *self._shared()),
        )

    def _arguments(self) -> dict[str | None, ast.expr]:
        for node in self._tree.body:
            match node:
                case ast.Assign(
                    targets=[ast.Name("REGISTRATION")],
                    value=ast.Call(func=ast.Name("Registration")) as call,
                ):
                    return {each.arg: each.value for each in call.keywords}
        problem = "has no `REGISTRATION = Registration(family=…, cases={…})`"
        raise CellError(self._file, 1, problem)

    def _family(self, node: ast.expr | None) -> str:
        family = self._text(node) if node else ""
        if family not in FAMILIES:
            known = ", ".join(f'"{each}"' for each in FAMILIES)
            problem = f'expected a family, one of {known}; got "{family}"'
            raise CellError(self._file, node.lineno if node else 1, problem)
        return family

    def _names(self, node: ast.expr | None) -> tuple[str, ...]:
        if not isinstance(node, ast.Dict):
            raise self._refused(node, 'cases={"name": Case(…)}')
        return tuple(self._text(key or node) for key in node.keys)

    def _calls(self, node: ast.expr | None) -> list[ast.Call]:
        if node is None:
            return []
        expected = 'a tuple of calls, each with its name first: (Examined("Name", …),)'
        if not isinstance(node, ast.Tuple):
            raise self._refused(node, expected)
        for each in node.elts:
            if not isinstance(each, ast.Call) or not each.args:
                raise self._refused(each, expected)
        return [each for each in node.elts if isinstance(each, ast.Call)]

    def _shared(self) -> Iterator[Unpromised]:
        """Exemptions that are imported from other papers' registrations."""
        for node in self._tree.body:
            if isinstance(node, ast.ImportFrom) and node.module:
                package, _, paper = node.module.rpartition(".")
                if package == f"{PACKAGE}.registrations":
                    there = _RegistrationReader(self._root, paper)
                    for each in node.names:
                        yield from there._unpromised(*there._named(each.name))

    def _named(self, name: str) -> Iterator[ast.expr]:
        for node in self._tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id)], value=value) if id == name:
                    yield value

    def _unpromised(self, *within: ast.AST) -> Iterator[Unpromised]:
        for node in (part for whole in within for part in ast.walk(whole)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Exemption":
                try:
                    yield _literal(node)
                except (ValueError, TypeError):
                    expected = 'Exemption("flow", "reason", promises=("…",)), literally'
                    raise self._refused(node, expected) from None

    def _text(self, node: ast.expr) -> str:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        raise self._refused(node, "a text in quotes")

    def _refused(self, node: ast.AST | None, expected: str) -> CellError:
        got = f"`{ast.unparse(node)}`" if node else "nothing"
        line: Any = getattr(node, "lineno", 1)
        return CellError(self._file, line, f"expected {expected}; got {got}")


def _literal(call: ast.Call) -> Unpromised:
    given = [ast.literal_eval(each) for each in call.args]
    named = {each.arg or "": ast.literal_eval(each.value) for each in call.keywords}
    return Unpromised(*given, **named)


def _has_shape(call: ast.Call) -> bool:
    return len(call.args) > 3 or any(each.arg == "shape" for each in call.keywords)
