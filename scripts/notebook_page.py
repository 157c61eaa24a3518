"""Executed notebook → its page of the website, as Markdown, and its figures as files.

MkDocs then treats the page as any other: one reader of Markdown, one look of code, one
table of contents and one search for the whole site. Why not mkdocs-jupyter:
docs/decisions/0004-site.md.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import struct
from base64 import b64decode
from pathlib import Path
from textwrap import indent

import nbformat
from markupsafe import Markup
from nbformat import NotebookNode

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
    notebook = nbformat.read(path, as_version=4)
    figures: dict[str, bytes] = {}
    blocks = []
    for number, cell in enumerate(notebook.cells, start=1):
        try:
            blocks += _cell(cell, figures)
        except NotebookError as error:
            raise NotebookError(f"{path.name}, cell {number}: {error}") from None
    title, *body = _separate_title(blocks, path.name)
    head = _links(paper, project), _stamp(notebook.metadata.get("stamp"), path.name)
    page = "\n\n".join([title, *head, *body]) + "\n"
    folder = f"notebooks/{paper.id}"
    return {
        f"{folder}.md": page,
        **{f"{folder}/{name}": png for name, png in figures.items()},
    }


def _cell(cell: NotebookNode, figures: dict[str, bytes]) -> list[str]:
    """Write the cell as blocks of Markdown; add its figures to `figures`."""
    if cell.cell_type == "markdown":
        return [_own_paragraphs(cell.source)]
    outputs = [_output(output, figures) for output in cell.outputs]
    code = _fence(cell.source, "python")
    tags = cell.metadata.get("tags", [])
    if "setup" in tags:  # installs the project on Colab: no reading matter
        return []
    if "plot" in tags:
        code = f'??? plot "Show the plotting code"\n\n{indent(code, "    ")}'
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


def _output(output: NotebookNode, figures: dict[str, bytes]) -> str:
    match output.output_type:
        case "error":
            raise NotebookError(f"it raised {output.ename}: {output.evalue}")
        case "stream" if output.name == "stderr":
            raise NotebookError(f"it wrote to stderr: {output.text.strip()}")
        case "stream":
            return _fence(output.text, "{ .text .output .no-copy }")
    if "image/png" in output.data:
        return _figure(output, figures)
    if "text/markdown" in output.data:
        return output.data["text/markdown"]
    return _fence(output.data["text/plain"], "{ .text .output .no-copy }")


def _figure(output: NotebookNode, figures: dict[str, bytes]) -> str:
    about = output.metadata.get("image/png", {})
    alt = " ".join(about.get("alt", "").split())
    if not alt:
        raise NotebookError("a figure has no alt text (`plots.show` takes it)")
    png = b64decode(output.data["image/png"])
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
    device = {"cpu": "a CPU"}.get(stamp["device"], stamp["device"])
    return (
        f"Executed on {executed} with Python {stamp['python']} "
        f"and torch {stamp['torch']} on {device} in {stamp['seconds']} seconds, "
        f"seed {stamp['seed']}; its assertions hold.\n{{ .stamp }}"
    )
