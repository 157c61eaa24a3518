"""`new`, `paper` and `lacking`."""

from __future__ import annotations

import click

from scripts import scaffold
from scripts.base.project import ROOT
from scripts.catalogue.command import telling_faults
from scripts.scaffold import checking

_the_papers_id = click.argument("id", metavar="ID")


@click.command()
@_the_papers_id
def new(id: str) -> int:
    """Draft an implementation: its file, its test, its case.

    ID is the paper's in the catalogue.
    """
    with telling_faults():
        return scaffold.run(ROOT, id)


@click.command()
@_the_papers_id
def paper(id: str) -> int:
    """Check one paper alone, and say what it still lacks."""
    with telling_faults():
        return checking.run(ROOT, id)


@click.command()
@_the_papers_id
def lacking(id: str) -> int:
    """List what a paper still lacks."""
    with telling_faults():
        checking.show_what_is_lacking(ROOT, id)
    return 0
