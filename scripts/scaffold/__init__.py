"""A first draft of a paper's implementation: its file, test and registration."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

import jinja2

from scripts.base.files import turn, write_together
from scripts.base.text import people
from scripts.catalogue import Publication, load
from scripts.catalogue.document import read
from scripts.catalogue.faults import did_you_mean, quote
from scripts.catalogue.names import surname
from scripts.papers import EXAMPLES, PACKAGE, registrations
from scripts.scaffold import checklist

_WIDTH = 88
_NO_LONGER = ', without "implementation: wanted": there is one now'
_REGISTERS = "from implementations.registrations import Case, Registration"


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
    module = root / PACKAGE / f"{name}.py"
    exercises, test = (
        root / "tests" / "papers" / name / f"test_{kind}.py"
        for kind in ("exercises", "facts")
    )
    registration = root / registrations.file(name)
    example = root / EXAMPLES / f"{name}.py"
    for path in (module, module.with_suffix("")):
        _refuse(root, path, path.exists())
    catalogue = root / "resources.yaml"
    facts = _facts(paper)
    # In this order, since whoever is interrupted between two of them runs it again.
    written = {
        exercises: _rendered("exercises.py.jinja", facts),
        test: _rendered("test.py.jinja", facts),
        registration: _rendered("registration.py.jinja", facts),
        example: _rendered("example.py.jinja", facts),
        module: _rendered("implementation.py.jinja", facts),
        catalogue: _no_longer_wanted(catalogue.read_bytes(), name),
    }
    for path in (exercises, test, registration, example):
        _refuse(root, path, path.exists() and path.read_text("utf-8") != written[path])
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
        "registered": _docstring(f"Registration of {surnames}", paper),
        "facts": _docstring(f"Facts of {surnames}", paper),
        "exercises": _docstring(f"Exercises on {surnames}", paper),
        "imported": _import(paper.id),
        "imports": "\n".join(sorted([_import(paper.id), _REGISTERS])),
        "family": _family(paper),
        "case": _case(paper.id),
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


def _case(name: str) -> str:
    case = f'        "{name}, 2-d": Case(lambda: {name}(2)),'
    if len(case) <= _WIDTH:
        return case
    return f'        "{name}, 2-d": Case(\n            lambda: {name}(2)\n        ),'


def _family(paper: Publication) -> str:
    """Return the last family of the gallery that a tag of the paper belongs to."""
    families = reversed(registrations.FAMILIES.items())
    return next((family for family, tag in families if tag in paper.tags), "")


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
