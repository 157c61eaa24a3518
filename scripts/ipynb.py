"""Cells and outputs ⇄ the text of a notebook file, the same on every run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from scripts.cells import Cell

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


def setup_cell(repo_url: str) -> Cell:
    """Return the cell that installs the project where it is missing."""
    source = _SETUP.format(repo_url=repo_url)
    return Cell("code", source, (1,) * (source.count("\n") + 1), ("setup",))


def render(
    cells: Sequence[Cell], outputs: Sequence[list[Any]], stamp: dict[str, Any]
) -> str:
    """Write a notebook in nbformat 4.5; `outputs` are those of the code cells."""
    results = iter(enumerate(outputs, 1))
    documents = []
    for number, cell in enumerate(cells):
        document = {
            "cell_type": cell.kind,
            "id": f"cell-{number:02}",
            "metadata": {"tags": list(cell.tags)} if cell.tags else {},
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


def _output(output: dict[str, Any], count: int) -> dict[str, Any]:
    if output["output_type"] == "stream":
        return output | {"text": _lines(output["text"])}
    data = {mime: _lines(content) for mime, content in output["data"].items()}
    numbered = {"execution_count": count} if "execution_count" in output else {}
    return output | {"data": data} | numbered


def _lines(text: str | list[str]) -> list[str]:
    return text.splitlines(keepends=True) if isinstance(text, str) else text


class Committed(NamedTuple):
    """What a notebook file keeps of its execution: outputs of its code cells, stamp."""

    outputs: list[list[Any]]
    stamp: dict[str, Any]


def parse(text: str) -> Committed | None:
    """Read a notebook file; None when it is no notebook of ours, or one that failed."""
    try:
        notebook = json.loads(text)
        cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        outputs = [list(cell["outputs"]) for cell in cells]
        kinds = {output["output_type"] for shown in outputs for output in shown}
        stamp = dict(notebook["metadata"]["stamp"])
    except (ValueError, LookupError, TypeError):
        return None
    return None if "error" in kinds else Committed(outputs, stamp)
