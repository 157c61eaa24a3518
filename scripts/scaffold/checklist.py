"""The list of what a paper still lacks, each with its file and its remedy.

Read from the files as text; nothing runs, and nothing of the flows is imported.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from scripts.execute.claims import results
from scripts.execute.ipynb import read
from scripts.papers import EXAMPLES, registrations
from scripts.papers.cells import CellError, export, parse
from scripts.papers.fingerprint import Fingerprints
from scripts.papers.registrations import Registered

LONGEST_NAME, LONGEST_HEADING = 24, 64
"""Characters: the name stands in the menu and in the genealogy."""
SEEDS = 5
# What the draft says where its author is to say something.
_DRAFTED = {
    ": what it does\n": 'say in a few words, "Name: what it does"',
    "# Say here what the paper adds": "say what the paper adds, in 120 words",
    "Say here what there is to see": "say it, for those who cannot see the figure",
    "Say here what a reader should keep": "say it in three sentences",
    "Say here what comes out": "answer it, and let test_exercises.py hold the answer",
}


class Lack(NamedTuple):
    """Something that a paper lacks."""

    file: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.problem} ({self.remedy})"


def lacking(root: Path, paper: str) -> list[Lack]:
    """Return what the paper lacks, in the order in which it is best done.

    Without a file that is Python, that alone.
    """
    found = []
    for check in CHECKS.values():
        try:
            lack = check(root, paper)
        except CellError as error:
            file, line, problem = str(error).split(":", 2)
            return [Lack(f"{file}:{line}", problem.strip(), "mend it")]
        if lack:
            found.append(lack)
        if check is implementation and lack:
            break
    return found


def implementation(root: Path, paper: str) -> Lack | None:
    """Its file, which is Python and splits into cells."""
    file = _module(paper)
    if not (root / file).exists():
        return Lack(file, "is missing", f"draft it: make new ID={paper}")
    export((root / file).read_text("utf-8"), file)
    return None


def prose(root: Path, paper: str) -> Lack | None:
    """The author's words in place of the draft's."""
    source = (root / _module(paper)).read_text("utf-8")
    for text, remedy in _DRAFTED.items():
        if text in source:
            line = source[: source.index(text)].count("\n") + 1
            return Lack(
                f"{_module(paper)}:{line}", "still says what the draft says", remedy
            )
    return None


def heading(root: Path, paper: str) -> Lack | None:
    """A heading "Name: what it does", short enough for the menu and the genealogy."""
    file = _module(paper)
    first = next(iter(export((root / file).read_text("utf-8"), file)), None)
    line = first.source.partition("\n")[0] if first else ""
    name, colon, does = line.removeprefix("# ").partition(": ")
    if not line.startswith("# ") or not colon or not does.strip():
        problem = f'has the heading "{line.removeprefix("# ")}"'
    elif len(name) > LONGEST_NAME:
        problem = (
            f'its name "{name}" has {len(name)} characters, at most {LONGEST_NAME}'
        )
    elif len(line) - 2 > LONGEST_HEADING:
        problem = (
            f"its heading has {len(line) - 2} characters, at most {LONGEST_HEADING}"
        )
    else:
        return None
    return Lack(f"{file}:2", problem, 'write it as "# # Name: what it does"')


def builder(root: Path, paper: str) -> Lack | None:
    """A function or class that is called as the paper's id is."""
    file = _module(paper)
    tree = parse((root / file).read_text("utf-8"), file)
    kinds = (ast.FunctionDef, ast.ClassDef)
    names = {node.name for node in tree.body if isinstance(node, kinds)}
    if paper in names:
        return None
    return Lack(
        file, f"has no function {paper}", f"let `{paper}(dim, …)` build the flow"
    )


def figure(root: Path, paper: str) -> Lack | None:
    """A figure: of the problem, of the idea, and the thumbnail of the gallery."""
    file = _module(paper)
    cells = export((root / file).read_text("utf-8"), file)
    if any("plot" in cell.tags for cell in cells):
        return None
    fix = 'draw one in a cell `# %% Its caption tags=["plot"]`, as nice.py does'
    return Lack(file, "has no figure", fix)


def facts(root: Path, paper: str) -> Lack | None:
    """Tests of what the paper says."""
    file = f"tests/papers/{paper}/test_facts.py"
    if (root / file).exists():
        return None
    return Lack(file, "is missing", "test there what the paper states of its map")


def example(root: Path, paper: str) -> Lack | None:
    """Its example in the reference, and where in the paper the flow stands."""
    file = f"{EXAMPLES}/{paper}.py"
    if not (root / file).exists():
        return Lack(file, "is missing", "show there in a few lines how it is used")
    if "Say here" in (root / file).read_text("utf-8"):
        return Lack(file, "still says what the draft says", "name the section")
    return None


def registration(root: Path, paper: str) -> Lack | None:
    """Its registration, which can be read as text."""
    if _registered(root, paper):
        return None
    fix = f"write it as {registrations.file('nice')} is written"
    return Lack(registrations.file(paper), "is missing", fix)


def contract(root: Path, paper: str) -> Lack | None:
    """A case that goes through the contract."""
    if not (found := _registered(root, paper)) or found.cases:
        return None
    fix = f'add "{paper}, 2-d": Case(lambda: {paper}(2)),'
    return Lack(registrations.file(paper), "has no case of the contract", fix)


def claims(root: Path, paper: str) -> Lack | None:
    """Claims that hold over five seeds of today's code."""
    file, run = f"implementations/results/{paper}.json", f"run make claims ONLY={paper}"
    found = results.read(root, paper)
    if found is None:
        return Lack(file, "is missing", run)
    (code,) = results.codes(root, [paper]).values()
    if found["fingerprint"] != code.fingerprint:
        return Lack(file, f"came from other code than today's {_module(paper)}", run)
    if not found["claims"]:
        return Lack(_module(paper), "claims nothing", "measure it: claim(…, below=…)")
    if len(found["seeds"]) < SEEDS:
        return Lack(file, f"has {len(found['seeds'])} of {SEEDS} seeds", run)
    if broken := results.broken(found):
        fix = "mend the map, or bound what holds under every seed"
        return Lack(file, f"{len(broken)} claims do not hold: {broken[0]}", fix)
    return None


def notebook(root: Path, paper: str) -> Lack | None:
    """A notebook that was executed with today's code."""
    found = read(root, paper, Fingerprints(root))
    file, run = f"docs/notebooks/{paper}.ipynb", f"run make notebooks ONLY={paper}"
    if not found.path.exists():
        return Lack(file, "is missing", run)
    if found.state == "stale":
        return Lack(file, f"was not executed with today's {_module(paper)}", run)
    if found.state == "text":
        return Lack(file, f"has other prose than today's {_module(paper)}", run)
    return None


def guide(root: Path, paper: str) -> Lack | None:
    """A place in the guide, which says when to take which flow."""
    file = "docs/compare.md"
    text = (root / file).read_text("utf-8")
    guide = text.partition("## Which flow")[2].partition("\n## ")[0]
    if re.search(rf'show\.need\("[^"]+", "{paper}", ', guide):
        return None
    row = f'show.need("You need …", "{paper}", "Name")'
    fix = f"say when to take it in a row of its table: {row}"
    return Lack(file, f'"Which flow should I use?" does not lead to {paper}', fix)


def compared(root: Path, paper: str) -> Lack | None:
    """A flow in the comparison, or the reason why there is none."""
    found, file = _registered(root, paper), registrations.file(paper)
    if not found:
        return None
    if not found.compared and not found.unmeasured:
        fix = 'add compared=(Compared(…),), or unmeasured="Name: not measured yet."'
        return Lack(file, "compares no flow", fix)
    if found.waiting and not any(_unmeasured(root, paper, found)):
        problem = "says that its flows are not measured, and they are"
        return Lack(file, problem, "remove the line unmeasured=…")
    return None


def measured(root: Path, paper: str) -> Lack | None:
    """Results of all that the comparison is to show of it, or that they wait."""
    found = _registered(root, paper)
    if not found or found.waiting:
        return None
    lacks = _unmeasured(root, paper, found)
    return next((each for each in lacks if not each.file.endswith(_ANSWERS)), None)


def examined(root: Path, paper: str) -> Lack | None:
    """A flow that is asked how exact it is, where any is compared, and its answers."""
    found = _registered(root, paper)
    if not found or found.waiting:
        return None
    if found.compared and not found.examined:
        fix = "add examined=(Examined(…),)"
        return Lack(registrations.file(paper), "asks no flow how exact it is", fix)
    lacks = _unmeasured(root, paper, found)
    return next((each for each in lacks if each.file.endswith(_ANSWERS)), None)


_ANSWERS = "exactness.json"


def _unmeasured(root: Path, paper: str, found: Registered) -> Iterator[Lack]:
    """Files of results that have not the rows of the flows that are registered."""
    compared = [*found.compared]
    on_the_plane = [name for name, plane in found.compared.items() if plane]
    for file, rows, owner, name, needed in (
        ("flows", "flows", ("paper", paper), "name", compared),
        ("gaps", "gaps", ("paper", paper), "name", on_the_plane),
        ("exactness", "findings", ("library", "ours"), "flow", found.examined),
    ):
        path = f"benchmarks/results/{file}.json"
        table = json.loads((root / path).read_text("utf-8"))[rows]
        there = {row[name] for row in table if row[owner[0]] == owner[1]}
        if left := [each for each in needed if each not in there]:
            part = "" if file == "flows" else _only(left)
            fix = (
                f"run .venv/bin/python -m benchmarks.{file}{part}, which takes minutes"
            )
            other = f"; {OR_WAIT}" if compared else ""
            yield Lack(path, f"has no row of {', '.join(left)}", f"{fix}{other}")


OR_WAIT = (
    'or, without a quiet machine, unmeasured="…" in the registration, '
    "and a maintainer measures it"
)


def _only(names: list[str]) -> str:
    return "".join(f' --only "{name}"' for name in names)


CHECKS: dict[str, Callable[[Path, str], Lack | None]] = {
    check.__name__: check
    for check in (
        *(implementation, prose, heading, builder, figure, facts, example),
        *(registration, contract, claims, notebook, guide),
        *(compared, measured, examined),
    )
}


def everything_left(root: Path, paper: str) -> list[Lack]:
    """Return what the paper lacks, and its files that are not in git yet."""
    left = lacking(root, paper)
    untracked = None if left else not_in_git(root, paper)
    return [*left, untracked] if untracked else left


def not_in_git(root: Path, paper: str) -> Lack | None:
    """Its files in the repository, where there is one."""
    files = [path.relative_to(root).as_posix() for path in _files(root, paper)]
    command = ["git", "ls-files", "--others", "--", *files]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True)
    others = ran.stdout.split()
    left = [file for file in files if file in others]
    if ran.returncode or not left:
        return None
    return Lack(left[0], "is not in git yet", f"git add {' '.join(left)}")


def _files(root: Path, paper: str) -> Iterator[Path]:
    yield root / _module(paper)
    yield root / registrations.file(paper)
    yield root / EXAMPLES / f"{paper}.py"
    yield from (root / "tests" / "papers" / paper).glob("*.py")
    yield results.path(root, paper)
    yield root / "docs" / "notebooks" / f"{paper}.ipynb"


def _module(paper: str) -> str:
    return f"implementations/{paper}.py"


def _registered(root: Path, paper: str) -> Registered | None:
    """Return what the paper joins; CellError where that cannot be read."""
    there = (root / registrations.file(paper)).exists()
    return registrations.read(root, paper) if there else None
