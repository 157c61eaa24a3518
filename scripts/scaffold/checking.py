"""One paper's own checks: its lint, types and tests, and what it still lacks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from scripts.papers import PACKAGE, registrations
from scripts.papers.cells import CellError
from scripts.scaffold import ScaffoldError, checklist, publication

# Asked of every paper, beside its own files of facts; what takes longest comes first.
_TESTS = (
    *("papers/test_smoke.py", "papers/test_shape.py", "papers/test_form.py"),
    "papers/test_registration.py",
    *("flows/test_contract_tools.py", "flows/test_contract.py"),
)


def run(root: Path, name: str) -> int:
    """Check one paper and print what is wrong; return the exit status.

    Raises CatalogueError when the catalogue has faults.
    """
    try:
        paper = publication(root, name).id
        if missing := checklist.implementation(root, paper):
            raise ScaffoldError(str(missing))
    except (ScaffoldError, CellError) as error:
        print(error, file=sys.stderr)
        return 1
    failing = _failing(root, paper)
    left = show_what_is_lacking(root, paper)
    if failing:
        print(f"{paper} does not pass: {' and '.join(failing)} failed, see above")
    return 1 if failing or left else 0


def show_what_is_lacking(root: Path, paper: str) -> int:
    """Print what the paper lacks; return how much it is."""
    left = checklist.everything_left(root, paper)
    print(f"{paper} lacks{', in the order to do it:' if left else ' nothing'}")
    for lack in left:
        print(f"  {lack}")
    return len(left)


def _failing(root: Path, paper: str) -> list[str]:
    """Lint, check the types and run the tests of the paper alone; name what failed."""
    found = sorted(root.glob(f"tests/papers/{paper}/*.py"))
    facts = [file.relative_to(root).as_posix() for file in found]
    own = [f"{PACKAGE}/{paper}.py", *facts]
    if (root / registrations.file(paper)).exists():
        own.append(registrations.file(paper))
    tests = [*(f"tests/{name}" for name in _TESTS), *facts]
    python = sys.executable
    # Beside the tests, which take longer.
    types = subprocess.Popen(
        [python, "-m", "pyright", "--warnings", "--pythonpath", python, *own],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
    )
    commands = {
        "style": ["ruff", "check", "--quiet", *own],
        "layout": ["ruff", "format", "--check", "--quiet", *own],
        "tests": ["pytest", "--quiet", "-n", "2", f"--paper={paper}", *tests],
    }
    failing = [
        what
        for what, command in commands.items()
        if subprocess.run([python, "-m", *command], cwd=root).returncode
    ]
    if "layout" in failing:
        print(f"Not formatted: run .venv/bin/python -m ruff format {' '.join(own)}")
    said, _ = types.communicate()
    if types.returncode:
        print(said)
        failing.append("types")
    return failing
