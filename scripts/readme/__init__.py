"""README.md from the catalogue: the same bytes on every run."""

from __future__ import annotations

import datetime
import difflib
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import jinja2

from scripts.base import text
from scripts.base.dates import long_date
from scripts.base.files import write_atomic
from scripts.base.project import FIGURE_ALT, Project
from scripts.catalogue import Catalogue, Code, Entry, Fault, format_faults
from scripts.catalogue.faults import on_github
from scripts.catalogue.sections import CODE, FURTHER, PUBLICATIONS, Section
from scripts.links.archive import NOTHING_DEAD, lost
from scripts.papers import registrations

# GitHub shows no more than 512 kB of a file.
LIMIT = 500_000


class ReadmePart(NamedTuple):
    """Entries of a section under a heading of their own, or under none.

    `anchor` is the heading's place in README.md.
    """

    heading: str
    entries: Sequence[Entry]
    anchor: str = ""


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
        shown = {
            shelf: entries[-(shape.newest or len(entries)) :]
            for shelf, entries in shelves.items()
        }
        if sum(map(_least(shape), chain.from_iterable(shown.values()))) > limit:
            continue
        page = template.render(
            project=project,
            shape=shape,
            shelves={
                shelf: _parts(shelf, entries, runs) for shelf, entries in shown.items()
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


def _least(shape: Shape) -> Callable[[Entry], int]:
    """Return what counts the characters that an entry takes at least."""
    return lambda entry: (
        len(entry.title) + len(entry.url) + (len(entry.note) if shape.notes else 0)
    )


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
    """Divide a section where it is long: each part under a heading, in order."""
    headings: Iterable[str]
    match shelf.key:
        case PUBLICATIONS.key:
            of, headings = runs, registrations.FAMILIES
        case FURTHER.key:
            of = _years(entries)
            headings = dict.fromkeys(of.values())  # papers are in order of date
        case CODE.key:
            of, headings = _kinds(entries)
        case _:
            return [ReadmePart("", entries)]
    parts: dict[str, list[Entry]] = {heading: [] for heading in (*headings, "")}
    for entry in entries:
        parts[of[entry.id]].append(entry)
    filled = {heading: part for heading, part in parts.items() if part}
    if list(filled) == [""]:
        return [ReadmePart("", entries)]
    return [
        ReadmePart(heading or "Others", part, f"{shelf.anchor}-{number}")
        for number, (heading, part) in enumerate(filled.items(), 1)
    ]


# A year with as many papers has a heading of its own, and so has each one after it.
_MANY = 5


def _years(papers: Sequence[Entry]) -> dict[str, str]:
    """Id → heading: the paper's year, or the years until then for the first few.

    Where no year has many, there are no headings.
    """
    numbers = Counter(paper.date.year for paper in papers)
    first = min((y for y in numbers if numbers[y] >= _MANY), default=0)
    if not first:
        return {paper.id: "" for paper in papers}
    before = f"Until {first - 1}"
    years = ((paper.id, paper.date.year) for paper in papers)
    return {id: str(year) if year >= first else before for id, year in years}


_APPLICATIONS, _OTHERS = "Applications", "Others"
_PLURALS = {"package": "packages", "repository": "repositories"}
# Frameworks of fewer programs share a heading.
_FEW = 3


def _kinds(entries: Sequence[Entry]) -> tuple[dict[str, str], list[str]]:
    """Id → heading: what a program builds on, and its kind; or that it is applied.

    Headings come in order: the most used first, packages before repositories.
    """
    software = [entry for entry in entries if isinstance(entry, Code)]
    numbers = Counter(_base(each) for each in software if each.kind in _PLURALS)
    bases = [base for base in numbers if numbers[base] >= _FEW and base != _OTHERS]
    bases.sort(key=lambda base: (-numbers[base], base))
    of = {}
    for each in software:
        base = _base(each) if _base(each) in bases else _OTHERS
        plural = _PLURALS.get(each.kind)
        of[each.id] = f"{base}: {plural}" if plural else _APPLICATIONS
    both = (f"{base}: {p}" for base in (*bases, _OTHERS) for p in _PLURALS.values())
    return of, [*both, _APPLICATIONS]


def _base(software: Code) -> str:
    """The framework of a program, or its language where that is not Python."""
    if software.languages[0] != "Python":
        return software.languages[0]
    return software.frameworks[0] if software.frameworks else _OTHERS


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
