"""Executed notebook → its page of the website, as Markdown, and its figures as files.

MkDocs then treats the page as any other: one reader of Markdown, one look of code, one
table of contents and one search for the whole site. Why not mkdocs-jupyter:
docs/decisions/0004-site.md.
"""

from __future__ import annotations

import ast
import datetime
import hashlib
import json
import re
import struct
from base64 import b64decode
from pathlib import Path
from textwrap import indent
from typing import Any, NamedTuple

from markupsafe import Markup

from scripts.catalogue import Publication
from scripts.dates import long_date
from scripts.project import Project

_IMAGE = Markup(
    '<figure><img src="{}" alt="{}" width="{}" height="{}" loading="lazy">'
    "<figcaption>{}</figcaption></figure>"
)


class NotebookError(Exception):
    """A notebook that must not be published as it is."""


class Figure(NamedTuple):
    """A PNG of a notebook: its name beside the page, its texts, its size in pixels.

    `alt` says what is to be seen, to who cannot see it; `caption` what it is.
    """

    name: str
    alt: str
    width: int
    height: int
    caption: str


class NotebookPage(NamedTuple):
    """A paper's notebook as the site shows it.

    `title` is its heading; `files` are the page and its figures, path under docs/ →
    content; `figures` tells of these, in order; `stamp` says on what and when it ran.
    """

    title: str
    files: dict[str, str | bytes]
    figures: list[Figure]
    stamp: dict[str, Any]


def render(
    docs: Path, paper: Publication, project: Project, on_gpu: str = ""
) -> NotebookPage:
    """Turn the paper's notebook into its page; `on_gpu` says how it did on a GPU.

    NotebookError when the notebook is missing, was not executed to its end, wrote to
    stderr, or has a figure without alt text or caption.
    """
    path = docs / "notebooks" / f"{paper.id}.ipynb"
    if not path.exists():
        fix = f"run `make notebooks ONLY={paper.id}`"
        raise NotebookError(f"docs/notebooks/{path.name} is missing ({fix})")
    notebook = json.loads(path.read_text("utf-8"))
    figures: dict[Figure, bytes] = {}
    blocks = []
    for number, cell in enumerate(notebook["cells"], start=1):
        try:
            blocks += _cell(cell, figures)
        except NotebookError as error:
            raise NotebookError(f"{path.name}, cell {number}: {error}") from None
    title, *body = _separate_title(blocks, path.name)
    stamp = notebook["metadata"].get("stamp")
    head = _links(paper, project), _stamp(stamp, path.name, on_gpu)
    page = "\n\n".join([title, *head, *body]) + "\n"
    folder = f"notebooks/{paper.id}"
    files: dict[str, str | bytes] = {f"{folder}.md": page}
    files |= {f"{folder}/{figure.name}": png for figure, png in figures.items()}
    return NotebookPage(title.removeprefix("# "), files, list(figures), stamp)


def _cell(cell: dict[str, Any], figures: dict[Figure, bytes]) -> list[str]:
    """Write the cell as blocks of Markdown; add its figures to `figures`."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return [_own_paragraphs(source)]
    caption = cell["metadata"].get("title", "")
    outputs = [_output(output, caption, figures) for output in cell["outputs"]]
    code = _fence(source, "python")
    tags = cell["metadata"].get("tags", [])
    if "setup" in tags:  # installs the project on Colab: no reading matter
        return []
    if "plot" in tags:
        return [*outputs, _fold(code, "Show the code")]
    if _only_imports(source):
        return [_fold(code, "Show the imports"), *outputs]
    return [code, *outputs]


def _fold(code: str, summary: str) -> str:
    return f'??? fold "{summary}"\n\n{indent(code, "    ")}'


def _only_imports(source: str) -> bool:
    """Whether the cell imports, and beside that only names or says what is constant."""
    body = ast.parse(source).body
    imports = [s for s in body if isinstance(s, (ast.Import, ast.ImportFrom))]
    others = [s for s in body if s not in imports]
    return bool(imports) and all(
        isinstance(statement, (ast.Assign, ast.Expr))
        and isinstance(statement.value, ast.Constant)
        for statement in others
    )


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


def _output(output: dict[str, Any], caption: str, figures: dict[Figure, bytes]) -> str:
    match output:
        case {"output_type": "error", "ename": name, "evalue": value}:
            raise NotebookError(f"it raised {name}: {value}")
        case {"name": "stderr", "text": text}:
            raise NotebookError(f"it wrote to stderr: {''.join(text).strip()}")
        case {"output_type": "stream", "text": text}:
            return _fence("".join(text), _PRINTED)
        case {"data": {"image/png": png}, "metadata": {**metadata}}:
            about = metadata.get("image/png", {}) | {"caption": caption}
            return _figure("".join(png), about, figures)
        case {"data": {"text/markdown": text}}:
            return "".join(text)
        case {"data": {"text/plain": text}}:
            return _fence("".join(text), _PRINTED)
    kinds = ", ".join(output["data"])
    raise NotebookError(f"it shows {kinds}, but a page PNG, Markdown and plain text")


def _figure(base64: str, about: dict[str, Any], figures: dict[Figure, bytes]) -> str:
    alt = " ".join(about.get("alt", "").split())
    if not alt:
        raise NotebookError("a figure has no alt text (`plots.show` takes it)")
    if not about["caption"]:
        raise NotebookError('a figure has no caption (`# %% Caption tags=["plot"]`)')
    png = b64decode(base64)
    width, height = struct.unpack(">II", png[16:24])
    name = hashlib.sha256(png).hexdigest()[:8] + ".png"
    shown = about.get("width", width), about.get("height", height)
    figure = Figure(name, alt, *shown, about["caption"])
    figures[figure] = png
    return _IMAGE.format(*figure)


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


def _stamp(stamp: dict[str, Any] | None, name: str, on_gpu: str) -> str:
    """Say in words what the notebook ran on."""
    if not stamp:
        raise NotebookError(f"{name} has no stamp (run `make notebooks`)")
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
    on_cpu = stamp["device"] == "cpu"
    device = "a CPU" if on_cpu else stamp["device"]
    gpu = f" On a GPU: {on_gpu or 'not measured'}." if on_cpu else ""
    return (
        f"Executed on {days['executed']} with Python {stamp['python']} "
        f"and torch {stamp['torch']} on {device} in {stamp['seconds']} seconds, "
        f"seed {stamp['seed']}; its assertions hold. "
        f"{since}{gpu}\n{{ .stamp }}"
    )
