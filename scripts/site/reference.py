"""The objects that the reference documents, found in the source, which is read as text.

Builders, univariate maps and conditioners are found where papers define them, so that
a new paper joins by itself. What docstrings do not say stands in an object's example,
docs/reference/examples/<name>.py: its docstring has shapes, errors and the place in the
paper, and its code is shown. `tests/papers/test_examples.py` runs it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.papers import EXAMPLES, PACKAGE
from scripts.papers.cells import CellError, parse

_FACT = re.compile(r"(?ms)^(Shapes|Raises|Source): (.*?)(?=\n\n|\Z)")


@dataclass(frozen=True)
class Documented:
    """A function or class, and what its example says of it.

    `lines` are the first and the last in `file`; `raises` says that its docstring has
    the errors; `returns` is what it is annotated to return. `facts` are Markdown.
    """

    path: str
    file: str
    lines: tuple[int, int]
    summary: str
    raises: bool
    returns: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    example: str = ""

    @property
    def name(self) -> str:
        """Its name in the module."""
        return self.path.rpartition(".")[2]

    @property
    def paper(self) -> str:
        """Id of the paper in whose file it stands; "core" has the rest."""
        return self.path.split(".")[1]


@dataclass(frozen=True)
class Reference:
    """The documented objects: `builders` by paper, and all others by their path."""

    builders: Mapping[str, Sequence[Documented]] = field(default_factory=dict)
    maps: Sequence[Documented] = ()
    conditioners: Sequence[Documented] = ()
    objects: Mapping[str, Documented] = field(default_factory=dict)

    def of(self, *paths: str) -> list[Documented]:
        """Return objects of the core by their paths below implementations.core.

        KeyError for one that is not there.
        """
        return [self.objects[f"{PACKAGE}.core.{path}"] for path in paths]


def read(root: Path, papers: Sequence[str]) -> Reference:
    """Read the core and these papers; CellError where a file cannot be read."""
    builders: dict[str, Sequence[Documented]] = {}
    maps: list[Documented] = []
    conditioners: list[Documented] = []
    objects: dict[str, Documented] = {}
    for paper in papers:
        found = [*_definitions(root, f"{PACKAGE}/{paper}.py")]
        builders[paper] = [each for node, each in found if _builds(node, paper)]
        maps += [each for node, each in found if _is_map(node)]
        conditioners += [each for node, each in found if _steers_a_map(node)]
        objects |= {each.path: each for _, each in found}
    for file in sorted((root / PACKAGE / "core").glob("[!_]*.py")):
        found = _definitions(root, file.relative_to(root).as_posix())
        objects |= {each.path: each for _, each in found}
    return Reference(builders, maps, conditioners, objects)


_Definition = ast.FunctionDef | ast.ClassDef


def _definitions(root: Path, file: str) -> Iterator[tuple[_Definition, Documented]]:
    """Yield the public functions and classes at the level of a module."""
    for node in parse((root / file).read_text("utf-8"), file).body:
        if isinstance(node, _Definition) and not node.name.startswith("_"):
            yield node, _described(root, file, node)


def _described(root: Path, file: str, node: _Definition) -> Documented:
    words = ast.get_docstring(node) or ""
    returns = node.returns if isinstance(node, ast.FunctionDef) else None
    facts, example = read_example(root, node.name)
    return Documented(
        path=f"{file.removesuffix('.py').replace('/', '.')}.{node.name}",
        file=file,
        lines=(node.lineno, node.end_lineno or node.lineno),
        summary=words.partition("\n\n")[0].replace("\n", " "),
        raises="\nRaises:\n" in words,
        returns=ast.unparse(returns) if returns else "",
        facts=facts,
        example=example,
    )


def read_example(root: Path, name: str) -> tuple[Mapping[str, str], str]:
    """Return the facts and the code of an object's example; nothing without one.

    CellError where it has no docstring.
    """
    file = f"{EXAMPLES}/{name}.py"
    if not (root / file).exists():
        return {}, ""
    source = (root / file).read_text("utf-8")
    tree = parse(source, file)
    if not (words := ast.get_docstring(tree)):
        raise CellError(file, 1, 'expected a docstring with "Shapes: …", got none')
    facts = {label: " ".join(text.split()) for label, text in _FACT.findall(words)}
    code = source.splitlines()[tree.body[0].end_lineno :]
    return facts, "\n".join(code).strip()


def _builds(node: _Definition, paper: str) -> bool:
    """A builder is called as the paper, or as its variant: nsf_autoregressive."""
    named = node.name == paper or node.name.startswith(f"{paper}_")
    return isinstance(node, ast.FunctionDef) and named


def _is_map(node: _Definition) -> bool:
    bases = node.bases if isinstance(node, ast.ClassDef) else []
    return any(ast.unparse(base) in {"Univariate", "Unsolved"} for base in bases)


def _steers_a_map(node: _Definition) -> bool:
    """A conditioner's class is given the univariate map that it steers.

    A map that is made of another is given one, too.
    """
    if _is_map(node):
        return False
    methods = node.body if isinstance(node, ast.ClassDef) else []
    return any(
        argument.annotation and ast.unparse(argument.annotation) == "Univariate"
        for method in methods
        if isinstance(method, ast.FunctionDef) and method.name == "__init__"
        for argument in method.args.args
    )
