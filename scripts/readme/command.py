"""`readme`, and what every command needs that writes README.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from scripts import readme as pages
from scripts.base.files import turn
from scripts.base.project import read_project
from scripts.catalogue.command import (
    implementations_beside,
    loaded,
    reads_the_catalogue,
    telling_faults,
)
from scripts.links import history


def writes_the_readme(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options --catalogue and --output, both Paths."""
    output = click.option(
        "--output",
        type=click.Path(path_type=Path),
        default="README.md",
        metavar="FILE",
        show_default=True,
        help="the file to write",
    )
    return reads_the_catalogue(output(command))


def regenerate(catalogue: Path, output: Path) -> int:
    """Write README.md where it differs; return the exit status."""
    # What is written comes from the list as it is then.
    with turn(catalogue.resolve().parent):
        return pages.write(output, _page(catalogue))


def _page(catalogue: Path) -> str:
    listing = loaded(catalogue)
    with telling_faults():
        dead = history.dead_in(catalogue.resolve().parent)
    runs = pages.running(listing, implementations_beside(catalogue))
    return pages.render(listing, read_project(), dead, runs=runs)


@click.command()
@writes_the_readme
@click.option("--check", is_flag=True, help="write nothing; show what would change")
@click.option(
    "--since",
    default="",
    metavar="COMMIT",
    help="check it, but only if it has changed since this commit",
)
def readme(catalogue: Path, output: Path, check: bool, since: str) -> int:
    """Regenerate README.md from the catalogue."""
    if since:
        return pages.check_since(output, _page(catalogue), since)
    if check:
        return pages.check(output, _page(catalogue))
    return regenerate(catalogue, output)
