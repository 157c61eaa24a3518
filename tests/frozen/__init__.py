"""The tests' own list, which no new entry or paper changes.

Where the list that we publish is itself what is tested, a test reads that one.
"""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

from scripts import readme
from scripts.base.project import read_project
from scripts.catalogue import Catalogue, load

FROZEN = Path(__file__).parent
LIST = FROZEN / "resources.yaml"
IMPLEMENTATIONS = FROZEN / "implementations"


@cache
def frozen_catalogue() -> Catalogue:
    """The list, loaded."""
    return load(LIST, IMPLEMENTATIONS)


@cache
def _page() -> str:
    catalogue = frozen_catalogue()
    runs = readme.running(catalogue, IMPLEMENTATIONS)
    return readme.render(catalogue, read_project(), runs=runs)


def copy_list(folder: Path) -> None:
    """Put the list, its README.md and what stands for its papers into a folder."""
    shutil.copy(LIST, folder)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(IMPLEMENTATIONS, folder / "implementations", ignore=ignored)
    (folder / "README.md").write_text(_page(), "utf-8")
