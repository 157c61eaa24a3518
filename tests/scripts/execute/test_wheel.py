"""Readers run the notebooks in an empty folder, against the installed project."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from time import monotonic

import nbformat
import pytest

from scripts.base.project import ROOT
from scripts.execute.kernel import session
from scripts.papers.cells import Cell

# One that builds on no other paper and one that does; the others take minutes.
QUICK = {"nice", "maf"}
NOTEBOOKS = [
    pytest.param(path, marks=[] if path.stem in QUICK else pytest.mark.long)
    for path in sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
]
WHENCE = "import os, implementations; print(implementations.__file__, os.listdir())"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the project's wheel and install it into a folder of its own."""
    wheels, target = (
        tmp_path_factory.mktemp("wheels"),
        tmp_path_factory.mktemp("target"),
    )
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    build = [
        *pip,
        "wheel",
        "--no-deps",
        *offline,
        "--wheel-dir",
        str(wheels),
        str(ROOT),
    ]
    subprocess.run(build, check=True)
    (wheel,) = wheels.glob("awesome_normalizing_flows-*.whl")
    install = [*pip, "install", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True)
    return target


@pytest.mark.sampled
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_in_an_empty_folder_against_the_wheel(path: Path, installed: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    environment = os.environ | {"PYTHONPATH": str(installed), "SMOKE": "1"}

    async def execute() -> str:
        outputs = []
        async with session(path.name, installed, environment) as kernel:
            for number, source in enumerate([*sources, WHENCE]):
                lines = (number,) * (source.count("\n") + 1)
                outputs = await kernel.run(
                    Cell("code", source, lines), monotonic() + 120
                )
        return outputs[0]["text"]

    package = installed / "implementations" / "__init__.py"
    assert asyncio.run(execute()) == f"{package} []\n"
