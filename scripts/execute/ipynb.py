"""A paper's notebook: what it should be, what is committed, and how it is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from scripts.base.project import read_project
from scripts.execute.trace import Trace
from scripts.papers import PACKAGE
from scripts.papers.cells import Cell, CellError, export
from scripts.papers.fingerprint import Fingerprints

State = Literal["fresh", "text", "stale"]
"""As it should be; of other prose or comments; of other code, or never executed."""

_SETUP = """\
# On a bare machine, as Colab's: install the project that this notebook belongs to.
import importlib.util

if importlib.util.find_spec("implementations") is None:
    %pip install --quiet "awesome-normalizing-flows[flows] @ git+{repo_url}"\
"""
_METADATA = {
    "kernelspec": {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}


@dataclass(frozen=True)
class Notebook:
    """A paper's notebook as it should be, and where it is committed."""

    name: str
    file: str
    path: Path
    cells: Sequence[Cell]
    fingerprint: str
    experiments: str

    @property
    def code(self) -> list[Cell]:
        """The cells that a kernel executes."""
        return [cell for cell in self.cells if cell.kind == "code"]

    @property
    def changed(self) -> str | None:
        """The day of the first run of today's code, where the committed one ran it."""
        committed = _read(self.path)
        if committed is None or committed.stamp.get("fingerprint") != self.fingerprint:
            return None
        return _since(committed.stamp)

    @cached_property
    def refreshed(self) -> str | None:
        """The committed notebook with today's prose and comments.

        None when its outputs are not those of today's code.
        """
        committed = _read(self.path)
        if committed is None or len(committed.outputs) != len(self.code):
            return None
        if committed.stamp.get("fingerprint") != self.fingerprint:
            return None
        stamp = committed.stamp | {"changed": _since(committed.stamp)}
        return self.render(committed.outputs, stamp)

    def stamp(self, seed: int) -> dict[str, Any] | None:
        """The stamp of the committed outputs.

        None when they are those of other experiments or of another seed.
        """
        committed = _read(self.path)
        if committed is None or len(committed.outputs) != len(self.code):
            return None
        stamp = committed.stamp
        same = (stamp.get("experiments"), stamp.get("seed")) == (self.experiments, seed)
        return stamp if same else None

    def replayed(self, trace: Trace, today: str) -> str:
        """The committed outputs, stamped for today's code, whose trace is given."""
        committed = _read(self.path)
        assert committed
        own = {"fingerprint": self.fingerprint, "changed": today, "replayed": today}
        stamp = committed.stamp | own | {"trace": asdict(trace)}
        return self.render(committed.outputs, stamp)

    @cached_property
    def state(self) -> State:
        """The difference between the committed notebook and what it should be."""
        if self.refreshed is None:
            return "stale"
        return "fresh" if self.refreshed == self.path.read_text("utf-8") else "text"

    def render(self, outputs: Sequence[list[Any]], stamp: dict[str, Any]) -> str:
        """Write the notebook in nbformat 4.5, with the outputs of its code cells."""
        results = iter(enumerate(outputs, 1))
        documents = []
        for number, cell in enumerate(self.cells):
            document = {
                "cell_type": cell.kind,
                "id": f"cell-{number:02}",
                "metadata": _metadata(cell),
                "source": _lines(cell.source),
            }
            if cell.kind == "code":
                count, shown = next(results)
                document["execution_count"] = count
                document["outputs"] = [_output(output, count) for output in shown]
            documents.append(document)
        notebook = {
            "cells": documents,
            "metadata": _METADATA | {"stamp": stamp},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _metadata(cell: Cell) -> dict[str, Any]:
    tags = [*cell.tags, *["imports"] * cell.only_imports]
    about = {"tags": tags, "title": cell.title}
    return {name: value for name, value in about.items() if value}


def _output(output: dict[str, Any], count: int) -> dict[str, Any]:
    if output["output_type"] == "stream":
        return output | {"text": _lines(output["text"])}
    data = {mime: _lines(content) for mime, content in output["data"].items()}
    numbered = {"execution_count": count} if "execution_count" in output else {}
    return output | {"data": data} | numbered


def _lines(text: str | list[str]) -> list[str]:
    return text.splitlines(keepends=True) if isinstance(text, str) else text


class _Committed(NamedTuple):
    """An execution as the notebook's file keeps it: outputs of code cells, stamp."""

    outputs: list[list[Any]]
    stamp: dict[str, Any]


def _since(stamp: dict[str, Any]) -> str:
    """Since when the code is what it is; one that ran once, since it ran."""
    return stamp.get("changed", stamp["executed"])


def _read(path: Path) -> _Committed | None:
    """Return None when it is missing, no notebook of ours, or one that failed."""
    try:
        notebook = json.loads(path.read_text("utf-8"))
        cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        outputs = [list(cell["outputs"]) for cell in cells]
        kinds = {output["output_type"] for shown in outputs for output in shown}
        stamp = dict(notebook["metadata"]["stamp"])
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        return None
    return None if "error" in kinds else _Committed(outputs, stamp)


def read(root: Path, name: str, fingerprints: Fingerprints) -> Notebook:
    """Read `implementations/<name>.py`; CellError when it cannot be a notebook."""
    file = f"{PACKAGE}/{name}.py"
    exported = export((root / file).read_text("utf-8"), file)
    setup = _setup(read_project(root / "mkdocs.yml").repo_url)
    path = root / "docs" / "notebooks" / f"{name}.ipynb"
    shown = _shown(root, name)
    return Notebook(
        name,
        file,
        path,
        [setup, *exported],
        fingerprints.of(exported, shown),
        fingerprints.experiments(exported, shown),
    )


def _shown(root: Path, name: str) -> str:
    """Return what a notebook shows of its results (`all_checks` in core/claims.py)."""
    path = root / PACKAGE / "results" / f"{name}.json"
    if not path.exists():
        return ""
    try:
        results = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        file = path.relative_to(root).as_posix()
        problem = f"is no JSON: restore it, or run `make claims FORCE=1 ONLY={name}`"
        raise CellError(file, getattr(error, "lineno", 1), problem) from None
    return json.dumps([len(results["seeds"]), results["claims"]])


def _setup(repo_url: str) -> Cell:
    """Return the cell that installs the project where it is missing."""
    source = _SETUP.format(repo_url=repo_url)
    return Cell("code", source, (1,) * (source.count("\n") + 1), ("setup",))
