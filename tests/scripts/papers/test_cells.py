"""Files become cells as jupytext reads them; guards come off, the code stays."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import jupytext
import pytest

from scripts.base.project import ROOT
from scripts.papers.cells import Cell, CellError, cells, export, lift

IMPLEMENTATIONS = ROOT / "implementations"
PAPERS = sorted(IMPLEMENTATIONS.glob("[a-z]*.py"))

SAMPLES = {
    "empty": "",
    "no marker": "import math\n\nx = 1\n",
    "code before the first marker": '"""Title."""\n\n# %%\nx = 1\n',
    "blank lines around": "# %%\n\nx = 1\n\n\n# %%\n\n\ny = 2\n\n",
    "empty cells": "# %%\n# %% [markdown]\n# %%\n",
    "no final newline": "# %%\nx = 1",
    "prose": "# %% [markdown]\n# # T\n#\n# $$x_1,\\quad x_2$$\n#     code\n#hashed\n",
    "prose, blank line": "# %% [markdown]\n# one\n\n# two\n# %%\n",
    "titles": '# %% One, a title\nx = 1\n# %% Other [markdown]\n# y\n# %% T tags=["a"]',
    "tags": '# %% tags=["plot"]\nx = 1\n# %% T [markdown] tags=["a", "b-c"]\n# y\n',
    "tight markers": "#%%\nx = 1\n#  %% [markdown]\n# y\n",
    "not markers": "# %%\nx = 1\n# 5 %% 3\n#  %\n#%%%\n",
    "marker in a string": '# %%\nx = """\n# %%\n"""\n# %%\ny = 2\n',
    "marker in an f-string": '# %%\nx = f"""{1}\n# %% [markdown]\n"""\n# %%\ny = 2\n',
    "marker after a block": "# %%\nif x:\n    y = 1\n# %%\ny = 2\n",
    "comment at the end": "# %%\ndef f():\n    pass\n    # last\n# %%\n# only\n",
    "unicode": "# %% [markdown]\n# σ(x)λ\n# %%\nσ = 'é'\n",
}


Read = list[tuple[str, str, tuple[str, ...], str]]


def as_jupytext(source: str) -> Read:
    return [
        (cell.cell_type, cell.source.strip("\n"), tuple(about.get("tags", ())), title)
        for cell in jupytext.reads(source, "py:percent").cells
        for about, title in [(cell.metadata, cell.metadata.get("title", ""))]
    ]


def as_ours(source: str) -> Read:
    return [
        (cell.kind, cell.source, cell.tags, cell.title)
        for cell in cells(source, "nice.py")
    ]


@pytest.mark.parametrize("source", SAMPLES.values(), ids=SAMPLES)
def test_splits_as_jupytext_does(source: str) -> None:
    assert as_ours(source) == as_jupytext(source)


def test_a_comment_stays_a_comment_where_jupytext_makes_it_a_magic() -> None:
    source = "# %%\nx = 1\n# %time x\n#%%time"
    assert [cell.source for cell in cells(source, "nice.py")] == [source[5:]]


def test_only_a_newline_ends_a_line() -> None:
    source = "# %%\nx = '\u2028\x85'\n# %%\n\x0cy = 2"
    assert [cell.lines for cell in cells(source, "nice.py")] == [(2,), (4,)]


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_splits_papers_as_jupytext_does(path: Path) -> None:
    source = path.read_text("utf-8")
    assert as_ours(source) == as_jupytext(source)


@pytest.mark.parametrize("source", SAMPLES.values(), ids=SAMPLES)
def test_cells_know_their_lines(source: str) -> None:
    lines = source.split("\n")
    for cell in cells(source, "nice.py"):
        told = [lines[number - 1] for number in cell.lines]
        if cell.kind == "markdown":
            told = [re.sub("^# ?", "", line) for line in told]
        assert "\n".join(told) == cell.source


FAULTS = {
    "x = (1\n": "nice.py:1: SyntaxError: '(' was never closed",
    "# %% [markdown]\n# a\nx = 1\n": (
        "nice.py:3: a markdown cell holds code (begin a new cell with `# %%`)"
    ),
    "# %%\ndef f():\n    x = 1\n# %%\n    return x\n": (
        "nice.py:4: a cell begins inside a statement"
    ),
    "x = 1\n# %% tags=[plot]\n": (
        'nice.py:2: expected `# %% title [markdown] tags=["plot"]`, each part '
        "optional, got `# %% tags=[plot]`"
    ),
    "# %% [raw]\n": (
        'nice.py:1: expected `# %% title [markdown] tags=["plot"]`, each part '
        "optional, got `# %% [raw]`"
    ),
    '# %%\nif __name__ == "__main__":\n    x = 1\nelse:\n    x = 2\n': (
        "nice.py:5: a guard takes no else"
    ),
    '# %%\nif __name__ == "__main__":\n    x = 1\n\ny = 2\n': (
        "nice.py:5: a guarded cell holds nothing else (begin a new cell with `# %%`)"
    ),
    '# %%\ny = 2\nif __name__ == "__main__":\n    x = 1\n': (
        "nice.py:2: a guarded cell holds nothing else (begin a new cell with `# %%`)"
    ),
    '# %%\nif __name__ == "main":\n    x = 1\n': (
        'nice.py:2: expected `if __name__ == "__main__":`'
    ),
    '# %%\nif __name__ == "__main__": x = 1\n': (
        "nice.py:2: guarded code begins on a line of its own"
    ),
    "x = 1\n# %%\n# a comment\n": (
        "nice.py:3: a code cell without code (begin it with `# %% [markdown]`)"
    ),
}


@pytest.mark.parametrize(("source", "message"), FAULTS.items())
def test_refuses(source: str, message: str) -> None:
    with pytest.raises(CellError) as error:
        export(source, "nice.py")
    assert str(error.value) == message


GUARDED = {
    "plain": "x = 1\n    y = 2",
    "blank lines": "x = 1\n\n\n    y = 2\n\n    \n    z = 3",
    "nested blocks": "for i in range(3):\n        if i:\n            print(i)",
    "triple-quoted": 'x = """a\n    b\nc\n        d"""\n    y = 1',
    "docstring": 'def f():\n        """One.\n\n        Two.\n        """',
    "string in brackets": 'f(\n        "a",\n        """b\n    c\n    """,\n    )',
    "bytes and raw": "x = rb'''a\\\n    b'''\n    y = R\"\"\"\n  \\d\"\"\"",
    "f-string": 'x = f"""a {1 + 1}\n    b {x!r:>{3}} {{c}}\n    """',
    "nested f-strings": "x = f'''{f\"\"\"a\n    {1}\n    b\"\"\"}\n    c'''\n    y = 1",
    "f-string over lines": "x = f'''{\n    1 +\n  2 = }'''\n    y = 1",
    "f-string, then layout": "x = (f'''{1}\n    ''' +\n         str(2))\n    y = 1",
    "backslash in a string": 'x = "a\\\n    b"\n    y = 1',
    "continued line": "x = 1 + \\\n        2\n    y = 3 - \\\n1",
    "brackets, outdented": "x = [\n1,\n  2,\n    3,\n    ]",
    "comments": "# 1\n    x = 1  # 2\n# 3\n  # 4\n    # 5\n    y = '# 6'",
    "decorated": "@f\n    class A:\n        @property\n        def b(self): return 1",
    "semicolons": "x = 1; y = 2",
    "starred docstring only": '"""Just this,\n    shown."""',
    "match": "match 1:\n        case 1:\n            x = 2",
    "unicode": "σ = 'é'; λ = '''ü\n    ö'''",
}


def guarded(body: str, indent: str = "    ", guard: str = "") -> Cell:
    head = guard or 'if __name__ == "__main__":'
    lines = f"{head}\n    {body}".replace("\n    ", f"\n{indent}")
    return Cell("code", lines, tuple(range(11, 12 + lines.count("\n"))))


@pytest.mark.parametrize("indent", ["    ", "  ", "\t"], ids=["four", "two", "tab"])
@pytest.mark.parametrize("body", GUARDED.values(), ids=GUARDED)
def test_lifted_code_is_the_guarded_code(body: str, indent: str) -> None:
    cell = guarded(body, indent)
    guard = ast.parse(cell.source).body[0]
    assert isinstance(guard, ast.If)
    lifted = lift(cell, "nice.py")
    assert ast.dump(ast.parse(lifted.source)) == ast.dump(ast.Module(guard.body, []))
    assert len(lifted.lines) == lifted.source.count("\n") + 1
    given = cell.source.split("\n")
    for text, number in zip(lifted.source.split("\n"), lifted.lines, strict=True):
        assert given[number - 11].endswith(text)


def test_lifting_keeps_strings_and_comments_as_they_are() -> None:
    cell = guarded('x = """a\n    b\nc"""  # d\n\n    # e\n    y = 1  # f')
    lifted = lift(cell, "nice.py")
    assert lifted.source == 'x = """a\n    b\nc"""  # d\n\n# e\ny = 1  # f'
    assert lifted.lines == (12, 13, 14, 15, 16, 17)


def test_lifting_keeps_what_stands_above_the_guard() -> None:
    source = (
        '# Why.\n\nif (\n    __name__ == "__main__"\n):  # here\n    # a\n    x = 1'
    )
    lifted = lift(Cell("code", source, tuple(range(1, 8))), "nice.py")
    assert (lifted.source, lifted.lines) == ("# Why.\n\n# a\nx = 1", (1, 2, 6, 7))


def test_a_cell_without_a_guard_stays() -> None:
    cell = Cell("code", "if x:\n    y = 1", (1, 2), ("plot",))
    assert lift(cell, "nice.py") is cell


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_papers_export_to_what_they_run(path: Path) -> None:
    source = path.read_text("utf-8")
    ran = "\n".join(c.source for c in export(source, path.name) if c.kind == "code")
    whole = []
    for statement in ast.parse(source).body:
        guard = "__name__" in ast.unparse(statement).partition("\n")[0]
        whole += statement.body if guard else [statement]  # type: ignore[attr-defined]
    assert ast.dump(ast.parse(ran)) == ast.dump(ast.Module(whole, []))


def test_exports_without_empty_cells_and_a_lonely_docstring() -> None:
    source = '"""Title."""\n# %%\n\n# %% [markdown]\n#\n# %%\n"""Title."""\nx = 1\n'
    exported = export(source, "nice.py")
    assert [cell.source for cell in exported] == ['"""Title."""\nx = 1']


def test_exports_tags() -> None:
    source = '# %% tags=["plot"]\nif __name__ == "__main__":\n    x = 1\n'
    lifted = Cell("code", "x = 1", (3,), ("plot",), guarded=True)
    assert export(source, "nice.py") == [lifted]


@pytest.mark.parametrize(
    "source",
    ["import math", '"""NICE."""\n\nfrom math import pi\n\nG = "g"', "import a, b"],
)
def test_what_only_imports_says_so(source: str) -> None:
    assert Cell("code", source, ()).only_imports


@pytest.mark.parametrize(
    "source",
    [
        "G = 1",
        "import math\n\nmath.pi",
        "import a\n\ndef f(): pass",
        "import a\na.run()",
    ],
)
def test_what_does_more_does_not(source: str) -> None:
    assert not Cell("code", source, ()).only_imports
