"""A paper's file holds definitions; what runs is guarded, for the notebook to lift."""

from __future__ import annotations

import ast

import pytest

from tests.support.papers import PAPERS, ROOT

CONSTANT = (ast.Assign, ast.AnnAssign)
DEFINITION = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
GUARD = ast.dump(ast.parse('__name__ == "__main__"', mode="eval").body)


def stray(source: str) -> list[str]:
    """Return the module-level statements that are none of what may stand there."""
    tree = ast.parse(source)
    docstring = tree.body[0] if ast.get_docstring(tree) else None
    return [
        f"line {node.lineno}: {ast.unparse(node).splitlines()[0]}"
        for node in tree.body
        if not (node is docstring or isinstance(node, DEFINITION))
        and not is_constant(node)
        and not is_guarded_cell(node)
    ]


def is_constant(node: ast.stmt) -> bool:
    """NAMES = …, with no call but of `math`: none that could take time or luck."""
    if not isinstance(node, CONSTANT) or node.value is None:
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    names = [
        name.id for t in targets for name in ast.walk(t) if isinstance(name, ast.Name)
    ]
    calls = any(
        isinstance(part, ast.Call) and not ast.unparse(part.func).startswith("math.")
        for part in ast.walk(node.value)
    )
    return bool(names) and all(name.isupper() for name in names) and not calls


def is_guarded_cell(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.dump(node.test) == GUARD and not node.orelse


@pytest.mark.parametrize("paper", PAPERS)
def test_module_level_holds_definitions_only(paper: str) -> None:
    file = f"implementations/{paper}.py"
    found = stray((ROOT / file).read_text("utf-8"))
    assert not found, f"{file}: what runs stands under `if __name__ == …`: {found}"


@pytest.mark.parametrize(
    "line",
    [
        "print(1)",
        "x = 1",
        "X = torch.randn(3)",
        "torch.manual_seed(0)",
        "for _ in (): pass",
        'if __name__ == "__main__":\n    pass\nelse:\n    pass',
        'if __name__ != "__main__":\n    pass',
        "with open('f'): pass",
    ],
)
def test_what_runs_on_import_is_found(line: str) -> None:
    good = '"""Doc."""\nimport a\nX = 1\nclass C: ...\n'
    good += 'if __name__ == "__main__":\n    f()\n'
    assert stray(good) == []
    found = ast.unparse(ast.parse(line)).splitlines()[0]
    assert stray(good + line) == [f"line 7: {found}"]
