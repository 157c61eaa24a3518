"""`links`."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.base.project import ROOT, read_project
from scripts.catalogue.command import loaded, reads_the_catalogue, telling_faults
from scripts.links import checking


@click.command()
@reads_the_catalogue
def links(catalogue: Path) -> int:
    """Ask every address of the catalogue and of the built website."""
    project, listing = read_project(), loaded(catalogue)
    asker = checking.public_asker(project)
    with telling_faults():
        return checking.LinkCheck(ROOT, project, listing, asker).run()
