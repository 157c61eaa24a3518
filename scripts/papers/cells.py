"""A paper's file as the cells of a notebook: split at `# %%`, guards lifted."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

_MARKER = re.compile(r"\s*#\s*%%(\s.*)?")
_OPTIONS = re.compile(
    r"(?P<title>[^\[\]=]*?)\s*"
    r"(?P<markdown>\[markdown\])?\s*"
    r"""(?:tags=\[(?P<tags>(?:"[\w-]+"[, ]*)*)\])?\s*"""
)
_Numbered = list[tuple[int, str]]


class CellError(Exception):
    """A fault of a paper's file, or of running it, with the line it is on."""

    def __init__(self, file: str, line: int, problem: str) -> None:
        super().__init__(file, line, problem)

    def __str__(self) -> str:
        return "{}:{}: {}".format(*self.args)


@dataclass(frozen=True)
class Cell:
    """One cell; `lines` holds, for each line of its source, its line in the file.

    Its title stands behind `# %%`; that of a figure's cell is the figure's caption.
    `guarded` says that a guard was lifted off: it is an experiment.
    """

    kind: Literal["code", "markdown"]
    source: str
    lines: tuple[int, ...]
    tags: tuple[str, ...] = ()
    title: str = ""
    guarded: bool = False

    @cached_property
    def body(self) -> list[ast.stmt]:
        """The statements of a code cell."""
        return ast.parse(self.source).body

    @property
    def only_imports(self) -> bool:
        """True where it imports, and beside that only names what is constant."""
        if self.kind != "code" or "setup" in self.tags:  # a magic is no Python
            return False
        kinds = (ast.Import, ast.ImportFrom)
        others = [each for each in self.body if not isinstance(each, kinds)]
        return len(others) < len(self.body) and all(
            isinstance(statement, (ast.Assign, ast.Expr))
            and isinstance(statement.value, ast.Constant)
            for statement in others
        )


def export(source: str, file: str) -> list[Cell]:
    """Return the notebook's cells: guards lifted, nothing empty.

    A cell with nothing but the module's docstring is left out, since a notebook would
    show it as a result. CellError as for `cells` and `lift`, and for a code cell that
    holds comments only.
    """
    exported = []
    for cell in (cell for cell in cells(source, file) if cell.source):
        if cell.kind == "code":
            first = all(other.kind == "markdown" for other in exported)
            cell = lift(cell, file)
            if not cell.body:
                problem = "a code cell without code (begin it with `# %% [markdown]`)"
                raise CellError(file, cell.lines[0], problem)
            if first and all(map(_is_text, cell.body)):
                continue
        exported.append(cell)
    return exported


def _is_text(statement: ast.stmt) -> bool:
    return ast.get_docstring(ast.Module([statement], [])) is not None


def cells(source: str, file: str) -> list[Cell]:
    """Split a percent-format module at its `# %%` lines, as jupytext does.

    CellError when it is no Python, when a marker cannot be read or stands inside a
    statement, and when a markdown cell holds code.
    """
    lines = source.split("\n")
    found = []
    for start, end in pairwise([0, *_markers(source, file), len(lines) + 1]):
        body = [(number, lines[number - 1]) for number in range(start + 1, end)]
        if start:
            found.append(_cell(start, lines[start - 1], body, file))
        elif any(text.strip() for _, text in body):
            found.append(_numbered_cell("code", body))
    return found


def _markers(source: str, file: str) -> list[int]:
    """Lines at which a cell begins; those inside a string are text."""
    tree = parse(source, file)
    lines = enumerate(source.split("\n"), 1)
    markers = [number for number, line in lines if _MARKER.fullmatch(line)]
    spans = [(s.lineno, s.end_lineno or s.lineno) for s in tree.body]
    inside = {n for n in markers if any(first < n <= last for first, last in spans)}
    for number in sorted(inside & _comment_lines(source) if inside else ()):
        raise CellError(file, number, "a cell begins inside a statement")
    return [number for number in markers if number not in inside]


def parse(source: str, file: str) -> ast.Module:
    """Parse a module; CellError at the line where it is no Python."""
    return _compile(source, file, ast.PyCF_ONLY_AST)


def check_syntax(source: str, file: str) -> None:
    """Find what parsing does not, such as a return outside of functions.

    CellError at its line.
    """
    _compile(source, file, 0)


def _compile(source: str, file: str, flags: int) -> Any:
    try:
        return compile(source, file, "exec", flags, dont_inherit=True)
    except SyntaxError as error:
        problem = f"SyntaxError: {error.msg}"
        raise CellError(file, error.lineno or 1, problem) from None


def _comment_lines(source: str) -> set[int]:
    return {t.start[0] for t in _tokens(source) if t.type == tokenize.COMMENT}


def _tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(source).readline)


def _cell(number: int, marker: str, body: _Numbered, file: str) -> Cell:
    options = _OPTIONS.fullmatch(marker.partition("%%")[2])
    if not options:
        expected = '`# %% title [markdown] tags=["plot"]`, each part optional'
        raise CellError(file, number, f"expected {expected}, got `{marker}`")
    tags = tuple(re.findall(r'"([^"]*)"', options["tags"] or ""))
    title = options["title"].strip()
    if not options["markdown"]:
        return _numbered_cell("code", body, tags, title)
    for line, text in body:
        if text.strip() and not text.startswith("#"):
            problem = "a markdown cell holds code (begin a new cell with `# %%`)"
            raise CellError(file, line, problem)
    prose = [(line, re.sub("^# ?", "", text)) for line, text in body]
    return _numbered_cell("markdown", prose, tags, title)


def _numbered_cell(
    kind: Literal["code", "markdown"],
    body: _Numbered,
    tags: tuple[str, ...] = (),
    title: str = "",
) -> Cell:
    """Build the cell without its outer blank lines (IPython would drop them anyway)."""
    filled = [index for index, (_, text) in enumerate(body) if text.strip()]
    kept = body[filled[0] : filled[-1] + 1] if filled else []
    source = "\n".join(text for _, text in kept)
    return Cell(kind, source, tuple(line for line, _ in kept), tags, title)


def _guard_body(cell: Cell, file: str) -> list[ast.stmt] | None:
    """Return what the cell's `if __name__ == "__main__":` holds; None without one.

    CellError when the cell holds more than its guard, or the guard is another.
    """
    guard = next(filter(_asks_name, cell.body), None)
    if not isinstance(guard, ast.If):
        return None
    if not is_guard(guard):
        fault, problem = guard, 'expected `if __name__ == "__main__":`'
    elif guard.orelse:
        fault, problem = guard.orelse[0], "a guard takes no else"
    elif len(cell.body) > 1:
        fault = next(statement for statement in cell.body if statement is not guard)
        problem = "a guarded cell holds nothing else (begin a new cell with `# %%`)"
    elif _shares_its_line(guard.body[0], cell):
        fault, problem = guard, "guarded code begins on a line of its own"
    else:
        return guard.body
    raise CellError(file, cell.lines[fault.lineno - 1], problem)


def is_guard(statement: ast.stmt) -> bool:
    """Return whether the statement is `if __name__ == "__main__":`."""
    return (
        isinstance(statement, ast.If)
        and ast.unparse(statement.test) == "__name__ == '__main__'"
    )


def _asks_name(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and any(
        isinstance(node, ast.Name) and node.id == "__name__"
        for node in ast.walk(statement.test)
    )


def _shares_its_line(statement: ast.stmt, cell: Cell) -> bool:
    line = cell.source.split("\n")[statement.lineno - 1]
    return not line[: statement.col_offset].isspace()


def lift(cell: Cell, file: str) -> Cell:
    """Take `if __name__ == "__main__":` off the cell and dedent its body.

    By tokens, so that strings over several lines stay as they are; and the lifted
    code is checked to be the guarded code.
    """
    body = _guard_body(cell, file)
    if body is None:
        return cell
    lifted = _numbered_cell("code", list(_dedented(cell)), cell.tags, cell.title)
    if ast.dump(ast.Module(lifted.body, [])) != ast.dump(ast.Module(body, [])):
        raise CellError(file, cell.lines[0], "lifting the guard changes the code")
    return replace(lifted, guarded=True)


def _dedented(cell: Cell) -> Iterator[tuple[int, str]]:
    """Yield the cell's lines without the guard's own."""
    tokens = list(_tokens(cell.source))
    guard = next(t.start[0] for t in tokens if t.type == tokenize.NAME)
    body = next(t.end[0] for t in tokens if t.type == tokenize.NEWLINE)
    indent = next(t.string for t in tokens if t.type == tokenize.INDENT)
    strings = _lines_begun_in_strings(tokens)
    numbered = zip(cell.lines, cell.source.split("\n"), strict=True)
    for number, (line, text) in enumerate(numbered, 1):
        if number < guard or number in strings:
            yield line, text
        elif number > body:
            outdented = text.removeprefix(indent)
            yield line, outdented if outdented != text else text.lstrip()


def _lines_begun_in_strings(tokens: list[tokenize.TokenInfo]) -> set[int]:
    """Lines whose first column lies in a string; they are content, not layout."""
    lines: set[int] = set()
    open_at: list[int] = []  # f-strings nest, and are many tokens from Python 3.12
    for token in tokens:
        name = tokenize.tok_name[token.type]
        if name.endswith("STRING_START"):  # pragma: no cover (from Python 3.12)
            open_at.append(token.start[0])
        elif name.endswith("STRING_END"):  # pragma: no cover (from Python 3.12)
            lines.update(range(open_at.pop() + 1, token.end[0] + 1))
        elif name == "STRING":
            lines.update(range(token.start[0] + 1, token.end[0] + 1))
    return lines
