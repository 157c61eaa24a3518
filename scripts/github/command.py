"""The commands of the workflows, `publish-readme` and others."""

from __future__ import annotations

import json
from pathlib import Path

import click

from scripts.add import Adder, public_services
from scripts.base.project import ROOT, read_project
from scripts.catalogue.command import implementations_beside, telling_faults
from scripts.github import release
from scripts.github.clone import Clone
from scripts.links import checking, history, software
from scripts.readme.command import regenerate, writes_the_readme


@click.command()
@writes_the_readme
def publish_readme(catalogue: Path, output: Path) -> int:
    """Regenerate README.md, commit and push it."""
    return regenerate(catalogue, output) or Clone(ROOT).publish(output.name)


@click.command()
@writes_the_readme
def publish_links(catalogue: Path, output: Path) -> int:
    """Commit and push what `links` found, and report it."""
    if status := regenerate(catalogue, output):
        return status
    with telling_faults():
        some_are_dead = bool(history.dead_in(catalogue.resolve().parent))
    files = history.FILE, software.FILE, output.name
    return Clone(ROOT).publish_links(ROOT / checking.REPORT, some_are_dead, *files)


@click.command()
@writes_the_readme
@click.argument("event", type=click.Path(path_type=Path))
def answer_issue(catalogue: Path, output: Path, event: Path) -> int:
    """Turn an issue form into a pull request.

    EVENT is GitHub's account of the issue, JSON.
    """
    project = read_project()
    adder = Adder(
        catalogue,
        output,
        implementations_beside(catalogue),
        project,
        public_services(project),
    )
    return Clone(ROOT).answer(json.loads(event.read_text("utf-8")), adder)


@click.command()
@click.argument("tag")
def release_notes(tag: str) -> int:
    """Check a release's version; print what changed.

    TAG is the release's, as in v1.2.0.
    """
    return release.run(ROOT, tag)
