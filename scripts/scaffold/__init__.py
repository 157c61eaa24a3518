"""A first draft of a paper's implementation: its file, its test, its case."""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import jinja2

from scripts.base.files import turn, write_together
from scripts.base.text import people
from scripts.catalogue import Publication, load
from scripts.catalogue.document import read
from scripts.catalogue.faults import did_you_mean, quote
from scripts.catalogue.names import surname
from scripts.scaffold import checklist

_WIDTH = 88
_NO_LONGER = ', without "implementation: wanted": there is one now'


class ScaffoldError(Exception):
    """There is nothing to write; the message says why, and what to do."""


def run(root: Path, name: str) -> int:
    """Write the draft of a paper's implementation; return the exit status.

    Raises CatalogueError when the catalogue has faults.
    """
    try:
        with turn(root):
            written = scaffold(root, name)
            write_together(written)
    except (ScaffoldError, OSError) as error:
        print(f"Nothing is written: {error}", file=sys.stderr)
        return 1
    for path in written:
        wanted = path.name == "resources.yaml"
        print(f"{path.relative_to(root)} written{_NO_LONGER * wanted}")
    print(f"make test PAPER={name} runs its own tests, and lists what it lacks")
    return 0


def scaffold(root: Path, name: str) -> dict[Path, str]:
    """Return each file to write, with its text.

    Raises ScaffoldError when the paper is not on the list, or has an implementation.
    """
    paper = publication(root, name)
    module = root / "implementations" / f"{name}.py"
    test = root / "tests" / "papers" / name / "test_facts.py"
    for path in (module, module.with_suffix("")):
        _refuse(root, path, path.exists())
    cases, catalogue = root / "tests/flows/cases.py", root / "resources.yaml"
    facts = _facts(paper)
    # In this order, since whoever is interrupted between two of them runs it again.
    written = {
        test: _rendered("test.py.jinja", facts),
        cases: _with_case(cases.read_text("utf-8"), name),
        module: _rendered("implementation.py.jinja", facts),
        catalogue: _no_longer_wanted(catalogue.read_bytes(), name),
    }
    _refuse(root, test, test.exists() and test.read_text("utf-8") != written[test])
    return written


def _refuse(root: Path, path: Path, taken: bool) -> None:
    if taken:
        raise ScaffoldError(f"{path.relative_to(root)} is there already (edit it)")


def publication(root: Path, name: str) -> Publication:
    """Return the publication of this id.

    Raises ScaffoldError when there is none, CatalogueError when the list has faults.
    """
    catalogue = load(root / "resources.yaml", root / "implementations")
    entries = {entry.id: entry for entry in catalogue.entries}
    entry = entries.get(name)
    if isinstance(entry, Publication):
        return entry
    if entry:
        about = ", ".join(getattr(entry, "papers", ())) or "none of the list"
        raise ScaffoldError(
            f"{quote(name)} is under {entry.section.heading}: only publications have "
            f"implementations (it is about {about})"
        )
    papers = [paper.id for paper in catalogue.publications]
    fix = did_you_mean(name, papers, "add its entry first: make add ENTRY=…")
    raise ScaffoldError(f"no publication has the id {quote(name)} ({fix})")


def _facts(paper: Publication) -> dict[str, str]:
    surnames = people([*map(surname, paper.authors)])
    cited = f"{people(paper.authors)} ([{paper.date.year}]({paper.url}))"
    lines = textwrap.wrap(
        cited, _WIDTH - 2, break_long_words=False, break_on_hyphens=False
    )
    return {
        "id": paper.id,
        "name": _name(paper),
        "citation": "\n".join(f"# {line}" for line in lines),
        "docstring": _docstring(surnames, paper),
        "facts": _docstring(f"Facts of {surnames}", paper),
        "imported": _import(paper.id),
    }


def _name(paper: Publication) -> str:
    """Return what stands before the colon of its title, where it is short; or its id.

    The site's menu and genealogy call the paper so.
    """
    short, colon, _ = paper.title.partition(":")
    if colon and len(short) <= checklist.LONGEST_NAME:
        return short
    words = paper.id.replace("_", " ").capitalize()
    return words[: checklist.LONGEST_NAME].rstrip()


def _docstring(words: str, paper: Publication) -> str:
    """Return one line that fits, and that ends no string early."""
    end = f" ({paper.date.year})."
    plain = re.sub(r'[\\"]', "", words)
    return textwrap.shorten(plain, _WIDTH - 6 - len(end), placeholder=" …") + end


def _rendered(template: str, facts: dict[str, str]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Python
    )
    return environment.get_template(template).render(facts)


def _import(name: str) -> str:
    line = f"from implementations.{name} import {name}"
    if len(line) <= _WIDTH:
        return line
    return f"from implementations.{name} import (\n    {name},\n)"


def _with_case(source: str, name: str) -> str:
    """Add the paper's import, in its order, and a line to CASES, unless it is there."""
    lines, tree = source.split("\n"), ast.parse(source)
    if any(node.module == f"implementations.{name}" for node in _imports(tree)):
        return source
    end = _end_of_cases(tree) - 1
    case = f'    "{name}, 2-d": Case(lambda: {name}(2)),'
    if len(case) > _WIDTH:
        case = f'    "{name}, 2-d": Case(\n        lambda: {name}(2)\n    ),'
    lines[end:end] = [case]
    ours = list(_imports(tree))
    before = [
        node.end_lineno or node.lineno
        for node in ours
        if _order(node.module or "") < _order(f"implementations.{name}")
    ]
    at = max(before, default=ours[0].lineno - 1)
    lines[at:at] = [_import(name)]
    return "\n".join(lines)


def _end_of_cases(tree: ast.Module) -> int:
    """Return the line on which the dictionary CASES is closed."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "CASES":
            return node.end_lineno or node.lineno
    raise ScaffoldError("tests/flows/cases.py has no CASES (restore it)")


def _imports(tree: ast.Module) -> Iterator[ast.ImportFrom]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            if (node.module or "").startswith("implementations."):
                yield node


def _order(module: str) -> list[tuple[bool, int, str]]:
    """Sort as ruff does: flow2 before flow10."""
    parts = re.findall(r"\d+|\D+", module)
    return [
        (not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts
    ]


def _no_longer_wanted(content: bytes, name: str) -> str:
    """Remove the line "implementation: wanted" of the paper's entry."""
    document = read(content, "resources.yaml")
    lines = content.decode("utf-8").split("\n")
    ids = [paper["id"] for paper in document.data["publications"]]
    path = ("publications", ids.index(name), "implementation")
    line = document.key_position(path).line - 1
    if not re.fullmatch(r" *implementation: wanted\s*(?:#.*)?", lines[line]):
        raise ScaffoldError(
            f"resources.yaml:{line + 1}: expected the line "
            '"implementation: wanted" alone (write it so)'
        )
    del lines[line]
    return "\n".join(lines)
