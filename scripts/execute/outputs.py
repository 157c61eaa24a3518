"""Outputs as they are committed: what a reader sees, small, the same on every run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from scripts.papers.cells import Cell, CellError

LIMIT = 300_000
"""Bytes of outputs that one notebook may have."""

Output = dict[str, Any]

_TEXTS = {"text/plain", "text/html", "text/latex", "text/markdown"}
_PLACEHOLDER = "No description has been provided for this image"
_ADDRESS = re.compile(r"\S+ at 0x[0-9a-f]+")


def clean(
    cells: Sequence[Cell], outputs: Sequence[Iterable[Output]], file: str
) -> list[list[Output]]:
    """Return the code cells' outputs without stderr; prints in a row become one.

    CellError, at its cell, for what a reader could not see or hear described, for text
    that changes between runs, and for more than LIMIT in all.
    """
    cleaned = [list(_joined(given)) for given in outputs]
    for cell, kept in zip(cells, cleaned, strict=True):
        for output in kept:
            if problem := _problem(output):
                raise CellError(file, cell.lines[0], problem)
    _check_size(cells, cleaned, file)
    return cleaned


def _joined(outputs: Iterable[Output]) -> Iterator[Output]:
    """Where one print ends and the next begins is up to the kernel's timing."""
    printed = ""
    for output in outputs:
        if output["output_type"] == "stream":
            printed += output["text"] if output["name"] == "stdout" else ""
            continue
        if printed:
            yield _stdout(printed)
        yield output
        printed = ""
    if printed:
        yield _stdout(printed)


def _check_size(
    cells: Sequence[Cell], outputs: Sequence[list[Output]], file: str
) -> None:
    sizes = [len(json.dumps(kept)) if kept else 0 for kept in outputs]
    if sum(sizes) > LIMIT:
        total, limit, biggest = sum(sizes) // 1000, LIMIT // 1000, max(sizes)
        problem = (
            f"the notebook's outputs come to {total} kB, {biggest // 1000} kB of them "
            f"here; at most {limit} kB are committed"
        )
        raise CellError(file, cells[sizes.index(biggest)].lines[0], problem)


def _stdout(text: str) -> Output:
    return {"output_type": "stream", "name": "stdout", "text": text}


def _problem(output: Output) -> str:
    """Say why the output must not be committed; nothing when it may."""
    data = output.get("data", {"text/plain": output.get("text", "")})
    pictures = [mime for mime in data if mime.startswith("image/")]
    for mime in data.keys() - _TEXTS - set(pictures):
        return f"publishes {mime}, but a page shows text and pictures only"
    for mime in pictures:
        alt = output["metadata"].get(mime, {}).get("alt", "").strip()
        if not alt or alt.startswith(_PLACEHOLDER):
            return "a picture without a description: show it by plots.show(fig, alt=…)"
    if not pictures and data.get("text/plain", "").startswith("<Figure size"):
        return "a figure's name in place of the figure: show it by plots.show"
    for text in (data[mime] for mime in data.keys() & _TEXTS):
        if address := _ADDRESS.search(text):
            return f"`{address[0]}` changes with every run: show something else"
    return ""
