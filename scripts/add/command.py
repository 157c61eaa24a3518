"""`add`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from scripts.add import Adder, public_services
from scripts.base.project import read_project
from scripts.catalogue.command import implementations_beside, telling_faults
from scripts.catalogue.sections import KEYS
from scripts.readme.command import writes_the_readme

FLAGS = {
    "id": "names the entry for good (default: made of its title or authors)",
    "title": "as it stands on the work itself",
    "authors": 'all of them, in full: "Ada Lovelace, Emmy Noether"',
    "organisations": 'authors who are no persons: "Foo, Inc.; Bar Lab"',
    "affiliation": "of the authors, at the time",
    "date": "of publication: 2018-07-09",
    "venue": "where it appeared: ICML 2015",
    "kind": "of code: package, repository or application",
    "languages": "of code: Python",
    "frameworks": 'of code: "JAX, Equinox"',
    "papers": 'ids of the publications it is about: "nice, maf"',
    "tags": 'from the list at the top of the file: "coupling, images"',
    "note": "one to three sentences of your own",
}


def _takes_facts(command: Callable[..., Any]) -> Callable[..., Any]:
    for flag, meaning in reversed(FLAGS.items()):
        option = click.option(f"--{flag}", default="", metavar="TEXT", help=meaning)
        command = option(command)
    return command


@click.command()
@click.argument("work")
@click.option(
    "--section",
    type=click.Choice(KEYS),
    help="where it goes (default: told by the address)",
)
@_takes_facts
@click.option("--offline", is_flag=True, help="ask no service")
@click.option("--dry-run", is_flag=True, help="write nothing; show what would change")
@writes_the_readme
def add(
    catalogue: Path,
    output: Path,
    work: str,
    section: str | None,
    offline: bool,
    dry_run: bool,
    **facts: str,
) -> int:
    """Add a paper, video, post or repository to the catalogue.

    WORK is an arXiv id, a DOI, or an address on arXiv, YouTube, GitHub or anywhere.
    arXiv, Crossref, YouTube and GitHub are asked for what they know; the flags come
    first. What is missing is asked for on a terminal.
    """
    project = read_project()
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    adder = Adder(
        catalogue,
        output,
        implementations_beside(catalogue),
        project,
        services=None if offline else public_services(project),
        ask=input if on_terminal else None,
    )
    run = adder.preview if dry_run else adder.add
    with telling_faults():
        return run(work, section or "", **facts)
