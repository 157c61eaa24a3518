"""The head of a notebook's page: what to do with it, what it proves, how it ran."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from scripts.base.dates import duration, long_date
from scripts.base.project import Project
from scripts.catalogue import Publication
from scripts.papers.checks import Checks
from scripts.site.claims import ANCHOR

_LINK = Markup('<a class="md-button{}" href="{}">{}</a>')
_FOLD = Markup('<details class="fold"><summary>{}</summary>\n{}</details>\n')
_CODE = Markup('<div class="highlight"><pre><code>{}</code></pre></div>\n')


def head(
    paper: Publication,
    project: Project,
    stamp: Mapping[str, Any],
    checks: Checks,
    on_gpu: str = "",
) -> Markup:
    """Return what stands under the title; `on_gpu` is how the notebook did there."""
    parts = [
        _actions(paper, project),
        _chips(stamp, checks),
        _FOLD.format("Run locally", _CODE.format(commands(paper, project, stamp))),
        _FOLD.format("How it ran", _stamp(stamp, checks, on_gpu)),
    ]
    return Markup("").join(parts)


def colab(paper: str, project: Project) -> str:
    """Address that opens the paper's notebook in Colab."""
    return project.colab(f"docs/notebooks/{paper}.ipynb")


def commands(paper: Publication, project: Project, stamp: Mapping[str, Any]) -> str:
    """Return what to type for running the notebook, and for working in it."""
    folder = project.repo_url.rsplit("/", 1)[-1]
    return (
        "# Needs Python 3.11 or newer, git and make. Installs torch the first time.\n"
        f"git clone {project.repo_url}\n"
        f"cd {folder}\n"
        f"make notebooks ONLY={paper.id} FORCE=1   # run it again, "
        f"in {duration(stamp['seconds'])} or so\n"
        "# To change it and see what happens:\n"
        ".venv/bin/python -m pip install jupyterlab\n"
        f".venv/bin/jupyter lab docs/notebooks/{paper.id}.ipynb\n"
    )


def _actions(paper: Publication, project: Project) -> Markup:
    links = {
        "Run in Colab": colab(paper.id, project),
        "Download": f"../{paper.id}.ipynb",
        "Source": project.blob(f"implementations/{paper.id}.py"),
        "Paper": paper.url,
    }
    classes = [" md-button--primary", "", "", ""]
    shown = (
        _LINK.format(kind, address, label)
        for kind, (label, address) in zip(classes, links.items(), strict=True)
    )
    return Markup('<p class="actions">{}</p>\n').format(Markup("\n").join(shown))


def _chips(stamp: Mapping[str, Any], checks: Checks) -> Markup:
    ran = f"{duration(stamp['seconds'])} on {_device(stamp)}"
    chips = [Markup("<li>{}</li>").format(ran)]
    if checks.number:
        link = Markup('<li class="holds"><a href="#{}">✓ {} checks hold</a></li>')
        chips.insert(0, link.format(ANCHOR, checks.number))
    return Markup('<ul class="chips">{}</ul>\n').format(Markup("").join(chips))


def _stamp(stamp: Mapping[str, Any], checks: Checks, on_gpu: str) -> Markup:
    """Say in words what the notebook ran on."""
    days = {
        day: long_date(datetime.date.fromisoformat(stamp[day]))
        for day in ("executed", "changed", "replayed")
        if day in stamp
    }
    since = f"Its code has not changed since {days['changed']}."
    if "replayed" in stamp:
        since = (
            f"Replayed on {days['replayed']}: its code has changed since, and a short "
            "run gives the same numbers."
        )
    repeated = f" They were repeated over {checks.seeds} seeds." if checks.seeds else ""
    gpu = f" On a GPU: {on_gpu}." if on_gpu and stamp["device"] == "cpu" else ""
    return Markup('<p class="stamp">{}</p>\n').format(
        f"Executed on {days['executed']} with Python {stamp['python']} "
        f"and torch {stamp['torch']} on {_device(stamp)} in {stamp['seconds']} "
        f"seconds, seed {stamp['seed']}; its assertions hold.{repeated} {since}{gpu}"
    )


def _device(stamp: Mapping[str, Any]) -> str:
    return "a CPU" if stamp["device"] == "cpu" else stamp["device"]
