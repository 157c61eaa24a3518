"""`links`."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import click

from scripts.base.project import ROOT, Project, read_project
from scripts.catalogue.command import loaded, reads_the_catalogue, telling_faults
from scripts.links import checking, software
from scripts.sources.services import Services
from scripts.sources.web import Web


@click.command()
@reads_the_catalogue
def links(catalogue: Path) -> int:
    """Ask every address of the catalogue and of the built website; GitHub too.

    GitHub tells when software last changed. GH_TOKEN may have a token for it.
    """
    project, listing = read_project(), loaded(catalogue)
    asker = checking.public_asker(project)
    with telling_faults():
        status = checking.LinkCheck(ROOT, project, listing, asker).run()
        if status == 0:
            today = datetime.datetime.now(datetime.UTC).date()
            software.renew(ROOT, listing, _github(project), today)
        return status


def _github(project: Project) -> Services:
    """GitHub tells more to whoever has a token."""
    token = os.environ.get("GH_TOKEN", "")
    return Services(Web(f"{project.name} ({project.repo_url})", token=token))
