"""README.md from the catalogue: the same bytes on every run."""

from __future__ import annotations

import datetime
import difflib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2

from scripts.base import text
from scripts.base.dates import long_date
from scripts.base.files import write_atomic
from scripts.base.project import FIGURE_ALT, Project
from scripts.catalogue import Catalogue, Entry, Fault, format_faults
from scripts.catalogue.faults import on_github
from scripts.catalogue.sections import FURTHER, PUBLICATIONS, Section
from scripts.links.archive import NOTHING_DEAD, lost
from scripts.papers import registrations

# GitHub shows no more than 512 kB of a file.
LIMIT = 500_000


class ReadmePart(NamedTuple):
    """Entries of a section under a heading of their own, or under none."""

    heading: str
    entries: Sequence[Entry]


class Shape(NamedTuple):
    """The part of the list that README.md holds."""

    notes: bool
    newest: int | None


def render(
    catalogue: Catalogue,
    project: Project,
    dead: Mapping[str, datetime.date] = NOTHING_DEAD,
    limit: int = LIMIT,
    runs: Mapping[str, str] | None = None,
) -> str:
    """Return README.md, within `limit` bytes: notes go first, then old entries.

    `dead` tells which addresses are gone, and since when; `runs` the family of each
    paper that has a notebook (`running` finds it), by default of every paper that is
    implemented.
    """
    if runs is None:
        runs = {paper.id: "" for paper in catalogue.publications if paper.implemented}
    shelves = _shelves(catalogue, runs)
    template = _environment(dead).get_template("readme.md.jinja")
    page = ""
    for shape in _shapes(catalogue):
        page = template.render(
            project=project,
            shape=shape,
            shelves={
                shelf: _parts(shelf, entries[-(shape.newest or len(entries)) :], runs)
                for shelf, entries in shelves.items()
            },
            numbers={shelf: len(entries) for shelf, entries in shelves.items()},
            total=len(tuple(catalogue.entries)),
            papers=len(catalogue.publications),
            runs=runs,
            figure_alt=FIGURE_ALT,
        )
        if len(page.encode()) <= limit:
            break
    return page


def running(catalogue: Catalogue, implementations: Path) -> dict[str, str]:
    """Return the family of each paper whose notebook is there: a draft has none yet."""
    root = implementations.parent
    return {
        paper.id: registrations.family(root, paper.id)
        for paper in catalogue.publications
        if paper.implemented and (root / f"docs/notebooks/{paper.id}.ipynb").exists()
    }


def _shelves(
    catalogue: Catalogue, runs: Mapping[str, str]
) -> dict[Section, Sequence[Entry]]:
    papers = catalogue.publications
    return {
        **catalogue.shelves,
        PUBLICATIONS: [paper for paper in papers if paper.id in runs],
        FURTHER: [paper for paper in papers if paper.id not in runs],
    }


def _parts(
    shelf: Section, entries: Sequence[Entry], runs: Mapping[str, str]
) -> list[ReadmePart]:
    """Divide the papers that run here by family."""
    if shelf != PUBLICATIONS:
        return [ReadmePart("", entries)]
    families = [*registrations.FAMILIES, ""]
    parts = (
        ReadmePart(family, [entry for entry in entries if runs[entry.id] == family])
        for family in families
    )
    return [part for part in parts if part.entries]


def write(path: Path, page: str) -> int:
    """Write README.md where it differs; return the exit status."""
    if _read(path) == page:
        print(f"{path.name} is up to date")
    else:
        write_atomic(path, page)
        print(f"{path.name} written: {len(page.encode()):,} bytes")
    return 0


def check(path: Path, page: str) -> int:
    """Print how README.md differs from `page`; exit status 1 when it does."""
    before = _read(path)
    if before == page:
        print(f"{path.name} is up to date")
        return 0
    sys.stdout.writelines(
        difflib.unified_diff(
            before.splitlines(keepends=True),
            page.splitlines(keepends=True),
            f"{path.name} (as it is)",
            f"{path.name} (as resources.yaml has it)",
        )
    )
    if on_github():
        print(format_faults(differences(path.name, before, page), "github"))
    print(f"{path.name} {_PROBLEM}: {_FIX}", file=sys.stderr)
    return 1


_PROBLEM = "is generated"
_FIX = (
    "edit resources.yaml instead, then run `make readme`, "
    "or leave that to the main branch"
)


def differences(file: str, before: str, page: str) -> list[Fault]:
    """Return a fault for each stretch of README.md that was edited by hand."""
    ours, theirs = before.splitlines(), page.splitlines()
    changes = difflib.SequenceMatcher(None, ours, theirs, False).get_opcodes()
    return [
        Fault(file, min(start + 1, len(ours)) or 1, 1, file, _PROBLEM, _FIX)
        for kind, start, *_ in changes
        if kind != "equal"
    ]


def check_since(path: Path, page: str, commit: str) -> int:
    """Check README.md as `check` does, but only where it has changed since a commit.

    A change of resources.yaml alone makes README.md differ, and is no fault: the main
    branch regenerates it.
    """
    command = ["git", "diff", "--quiet", "--end-of-options", commit, "--", path.name]
    status = subprocess.run(command, cwd=path.resolve().parent, check=False).returncode
    if status == 0:
        print(f"{path.name} has not changed since {commit}")
        return 0
    if status == 1:
        return check(path, page)
    print(f"git knows no {commit}: name a commit, or fetch it first", file=sys.stderr)
    return status


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def _shapes(catalogue: Catalogue) -> Iterator[Shape]:
    yield Shape(notes=True, newest=None)
    yield Shape(notes=False, newest=None)
    newest = max(map(len, catalogue.sections.values())) // 2
    while newest:
        yield Shape(notes=False, newest=newest)
        newest //= 2


def _environment(dead: Mapping[str, datetime.date]) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown: the filters below escape
    )
    environment.filters.update(
        md=text.escape_markdown,
        note=text.markdown_note,
        people=text.markdown_people,
        date=long_date,
        lost=lambda entry: lost(entry, dead),
        target=text.markdown_url,
    )
    return environment
