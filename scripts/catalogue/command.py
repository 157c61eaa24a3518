"""`check`, `schema`, and what every command needs that reads the catalogue."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import click

from scripts.catalogue import Catalogue, CatalogueError, format_faults, load
from scripts.catalogue import schema as schema_of
from scripts.catalogue.faults import on_github

Form = Literal["text", "github", "json"]


def reads_the_catalogue(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option --catalogue, a Path."""
    return click.option(
        "--catalogue",
        type=click.Path(path_type=Path),
        default="resources.yaml",
        metavar="FILE",
        show_default=True,
        help="the catalogue to read",
    )(command)


def implementations_beside(catalogue: Path) -> Path:
    """Return the folder of papers' files: it lies beside the list, wherever that is."""
    return catalogue.resolve().parent / "implementations"


def loaded(catalogue: Path, form: Form = "text") -> Catalogue:
    """Load the catalogue, or print its faults and exit."""
    with telling_faults(form):
        return load(catalogue, implementations_beside(catalogue))


@contextmanager
def telling_faults(form: Form = "text") -> Iterator[None]:
    """Print a catalogue's faults and exit, where there are any.

    In a workflow on GitHub, faults in text are annotations of the diff too.
    """
    try:
        yield
    except CatalogueError as error:
        stream = sys.stderr if form == "text" else sys.stdout
        print(format_faults(error.faults, form), file=stream)
        if form == "text" and on_github():
            print(format_faults(error.faults, "github"))
        raise SystemExit(1) from None


@click.command()
@reads_the_catalogue
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "github", "json"]),
    default="text",
    show_default=True,
    help="text for people, annotations for GitHub, or JSON",
)
def check(catalogue: Path, form: Form) -> int:
    """Say what is wrong in the catalogue, and where."""
    listing = loaded(catalogue, form)
    if form == "text":
        count = len(tuple(listing.entries))
        print(f"{catalogue.name}: {count} entries, no faults")
    elif form == "json":
        print("[]")
    return 0


@click.command()
def schema() -> int:
    """Print the catalogue's JSON Schema."""
    print(json.dumps(schema_of(), indent=2, ensure_ascii=False))
    return 0
