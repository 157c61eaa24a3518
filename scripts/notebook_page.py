"""Executed notebook → its page of the website, as Markdown, and its figures as files.

MkDocs then treats the page as any other: one reader of Markdown, one look of code, one
table of contents and one search for the whole site. Why not mkdocs-jupyter:
docs/decisions/0004-site.md.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import struct
from base64 import b64decode
from pathlib import Path
from textwrap import indent
from typing import Any

from markupsafe import Markup

from scripts.catalogue import Publication
from scripts.project import Project
from scripts.text import long_date

_IMAGE = Markup(
    '<figure><img src="{}" alt="{}" width="{}" height="{}" loading="lazy"></figure>'
)


class NotebookError(Exception):
    """A notebook that must not be published as it is."""


def pages(docs: Path, paper: Publication, project: Project) -> dict[str, str | bytes]:
    """Return the paper's notebook page and its figures: path under docs/ → content.

    NotebookError when the notebook is missing, was not executed to its end, wrote to
    stderr, or has a figure without alt text.
    """
    path = docs / "notebooks" / f"{paper.id}.ipynb"
    if not path.exists():
        raise NotebookError(f"{path.name} is missing (run `make notebooks`)")
    notebook = json.loads(path.read_text("utf-8"))
    figures: dict[str, bytes] = {}
    blocks = []
    for number, cell in enumerate(notebook["cells"], start=1):
        try:
            blocks += _cell(cell, figures)
        except NotebookError as error:
            raise NotebookError(f"{path.name}, cell {number}: {error}") from None
    title, *body = _separate_title(blocks, path.name)
    head = _links(paper, project), _stamp(notebook["metadata"].get("stamp"), path.name)
    page = "\n\n".join([title, *head, *body]) + "\n"
    folder = f"notebooks/{paper.id}"
    return {
        f"{folder}.md": page,
        **{f"{folder}/{name}": png for name, png in figures.items()},
    }


def _cell(cell: dict[str, Any], figures: dict[str, bytes]) -> list[str]:
    """Write the cell as blocks of Markdown; add its figures to `figures`."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return [_own_paragraphs(source)]
    outputs = [_output(output, figures) for output in cell["outputs"]]
    code = _fence(source, "python")
    tags = cell["metadata"].get("tags", [])
    if "setup" in tags:  # installs the project on Colab: no reading matter
        return []
    if "plot" in tags:
        code = f'??? plot "Show the code"\n\n{indent(code, "    ")}'
    return [code, *outputs]


_DISPLAY = re.compile(r"^([ ]*)(\$\$.+?\$\$)[ ]*$", re.MULTILINE | re.DOTALL)


def _own_paragraphs(markdown: str) -> str:
    """Set displayed mathematics apart: MkDocs wants blank lines, Jupyter does not."""
    return _DISPLAY.sub(r"\n\1\2\n", markdown)


def _fence(text: str, attributes: str) -> str:
    """Fence the text by more backticks than stand together in it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{attributes}\n{text.rstrip()}\n{ticks}"


_PRINTED = "{ .text .output .no-copy }"


def _output(output: dict[str, Any], figures: dict[str, bytes]) -> str:
    match output:
        case {"output_type": "error", "ename": name, "evalue": value}:
            raise NotebookError(f"it raised {name}: {value}")
        case {"name": "stderr", "text": text}:
            raise NotebookError(f"it wrote to stderr: {''.join(text).strip()}")
        case {"output_type": "stream", "text": text}:
            return _fence("".join(text), _PRINTED)
        case {"data": {"image/png": png}, "metadata": {**metadata}}:
            return _figure("".join(png), metadata.get("image/png", {}), figures)
        case {"data": {"text/markdown": text}}:
            return "".join(text)
        case {"data": {"text/plain": text}}:
            return _fence("".join(text), _PRINTED)
    kinds = ", ".join(output["data"])
    raise NotebookError(f"it shows {kinds}, but a page PNG, Markdown and plain text")


def _figure(base64: str, about: dict[str, Any], figures: dict[str, bytes]) -> str:
    alt = " ".join(about.get("alt", "").split())
    if not alt:
        raise NotebookError("a figure has no alt text (`plots.show` takes it)")
    png = b64decode(base64)
    name = hashlib.sha256(png).hexdigest()[:16] + ".png"
    figures[name] = png
    width, height = struct.unpack(">II", png[16:24])
    return _IMAGE.format(
        name, alt, about.get("width", width), about.get("height", height)
    )


def _separate_title(blocks: list[str], name: str) -> list[str]:
    """Split the first block after its first line, which is the page's title."""
    title, _, rest = (blocks[0] if blocks else "").strip().partition("\n")
    if not title.startswith("# "):
        raise NotebookError(f"{name} does not begin with a title (`# …`)")
    return [title, rest.strip(), *blocks[1:]]


def _links(paper: Publication, project: Project) -> str:
    notebook = f"{paper.id}.ipynb"
    source = project.blob(f"implementations/{paper.id}.py")
    links = [
        f"[Paper](../papers/{paper.id}.md)",
        f"[Open in Colab]({project.colab(f'docs/notebooks/{notebook}')})",
        f"[Download]({notebook})",
        f"[Source]({source})",
    ]
    return "\n".join(links) + "\n{ .links }"


def _stamp(stamp: dict[str, str] | None, name: str) -> str:
    """Say in words what the notebook ran on."""
    if not stamp:
        raise NotebookError(f"{name} has no stamp (run `make notebooks`)")
    executed = long_date(datetime.date.fromisoformat(stamp["executed"]))
    on_cpu = stamp["device"] == "cpu"
    device = "a CPU" if on_cpu else stamp["device"]
    gpu = " On a GPU: not measured." if on_cpu else ""
    return (
        f"Executed on {executed} with Python {stamp['python']} "
        f"and torch {stamp['torch']} on {device} in {stamp['seconds']} seconds, "
        f"seed {stamp['seed']}; its assertions hold.{gpu}\n{{ .stamp }}"
    )
