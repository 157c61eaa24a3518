"""`notebooks`, `claims` and `figures`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from scripts.base.project import ROOT
from scripts.execute import claims as repeated
from scripts.execute import figures as drawn
from scripts.execute import notebooks as executed

_force = click.option("--force", is_flag=True, help="run fresh ones too")


def _runs_papers(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--jobs",
            type=int,
            default=2,
            show_default=True,
            help="how many at once on this machine",
        ),
        click.option(
            "--cluster",
            envvar="CLUSTER",
            metavar="tcp://…",
            help="Dask's scheduler, whose workers run them (default: CLUSTER)",
        ),
        click.option("--device", help="cpu or cuda (default: cuda where there is)"),
        _force,
        click.option(
            "--only", default="", metavar="IDS", help="these papers alone: nice,maf"
        ),
    ):
        command = option(command)
    return command


@click.command()
@_runs_papers
@click.option("--check", is_flag=True, help="execute nothing; list the stale ones")
def notebooks(**options: Any) -> int:
    """Execute the notebooks whose code has changed."""
    return executed.run(ROOT, **options)


@click.command()
@_runs_papers
@click.option("--seeds", type=int, default=5, show_default=True, help="how many")
def claims(**options: Any) -> int:
    """Repeat the claims of papers whose code has changed, over seeds."""
    return repeated.run(ROOT, **options)


@click.command()
@_force
@click.option("--check", is_flag=True, help="draw nothing; list the stale ones")
def figures(force: bool, check: bool) -> int:
    """Draw the project's own figures whose code has changed."""
    return drawn.run(ROOT, force=force, check=check)
