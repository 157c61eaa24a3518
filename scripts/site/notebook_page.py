"""A notebook's page beyond its cells: figures as files, links, its stamp.

mkdocs-jupyter turns `docs/notebooks/<id>.ipynb` into HTML by a template of ours
(scripts/site/templates/notebook); what a template cannot do is done here. Why so:
docs/decisions/0004-site.md.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import struct
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from scripts.base.dates import long_date
from scripts.base.project import Project
from scripts.catalogue import Publication

TEMPLATE = Path(__file__).parent / "templates" / "notebook"
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

    `title` is its heading; `head` is HTML that stands under it; `figures` are those of
    the page, in order, and `files` their PNGs, path under docs/ → content; `stamp` says
    on what and when it ran.
    """

    title: str
    head: str
    files: dict[str, bytes]
    figures: list[Figure]
    stamp: dict[str, Any]


def read(
    docs: Path, paper: Publication, project: Project, on_gpu: str = ""
) -> NotebookPage:
    """Read the paper's notebook and what its page adds; `on_gpu` is how it did there.

    NotebookError when the notebook is missing, was not executed to its end, wrote to
    stderr, or has a figure without alt text or caption.
    """
    path = docs / "notebooks" / f"{paper.id}.ipynb"
    if not path.exists():
        raise NotebookError(
            f"docs/notebooks/{path.name} is missing "
            f"(run `make notebooks ONLY={paper.id}`)"
        )
    notebook = json.loads(path.read_text("utf-8"))
    figures: dict[Figure, bytes] = {}
    for number, cell in enumerate(notebook["cells"], start=1):
        caption = cell["metadata"].get("title", "")
        try:
            for output in cell.get("outputs", []):
                figures |= _figures(output, caption)
        except NotebookError as error:
            raise NotebookError(f"{path.name}, cell {number}: {error}") from None
    title = _title(notebook["cells"], path.name)
    stamp = notebook["metadata"].get("stamp")
    head = _links(paper, project) + _stamp(stamp, path.name, on_gpu)
    files = {f"notebooks/{paper.id}/{fig.name}": png for fig, png in figures.items()}
    return NotebookPage(title, head, files, list(figures), stamp)


def _figures(output: dict[str, Any], caption: str) -> dict[Figure, bytes]:
    """Return the output's figure, if it is one.

    NotebookError for what no page shows.
    """
    match output:
        case {"output_type": "error", "ename": name, "evalue": value}:
            raise NotebookError(f"it raised {name}: {value}")
        case {"name": "stderr", "text": text}:
            raise NotebookError(f"it wrote to stderr: {''.join(text).strip()}")
        case {"data": {"image/png": png}, "metadata": {**metadata}}:
            return _figure("".join(png), metadata.get("image/png", {}), caption)
        case {"output_type": "stream"} | {"data": {"text/markdown": _}}:
            return {}
        case {"data": {"text/plain": _}}:
            return {}
    kinds = ", ".join(output["data"])
    raise NotebookError(f"it shows {kinds}, but a page PNG, Markdown and plain text")


def _figure(base64: str, about: dict[str, Any], caption: str) -> dict[Figure, bytes]:
    alt = " ".join(about.get("alt", "").split())
    if not alt:
        raise NotebookError("a figure has no alt text (`plots.show` takes it)")
    if not caption:
        raise NotebookError('a figure has no caption (`# %% Caption tags=["plot"]`)')
    png = b64decode(base64)
    width, height = struct.unpack(">II", png[16:24])
    name = hashlib.sha256(png).hexdigest()[:8] + ".png"
    shown = about.get("width", width), about.get("height", height)
    return {Figure(name, alt, *shown, caption): png}


def _title(cells: Sequence[dict[str, Any]], name: str) -> str:
    """Return the heading, with which the first cell that is shown begins."""
    shown = [c for c in cells if "setup" not in c["metadata"].get("tags", [])]
    source = "".join(shown[0]["source"]).strip() if shown else ""
    title = source.partition("\n")[0]
    if not title.startswith("# ") or shown[0]["cell_type"] != "markdown":
        raise NotebookError(f"{name} does not begin with a title (`# …`)")
    return title.removeprefix("# ")


def _links(paper: Publication, project: Project) -> Markup:
    notebook = f"{paper.id}.ipynb"
    links = {
        "Paper": f"../../papers/{paper.id}/",
        "Open in Colab": project.colab(f"docs/notebooks/{notebook}"),
        "Download": f"../{notebook}",
        "Source": project.blob(f"implementations/{paper.id}.py"),
    }
    shown = [Markup('<a href="{}">{}</a>').format(to, of) for of, to in links.items()]
    return Markup('<p class="links">{}</p>\n').format(Markup("\n").join(shown))


def _stamp(stamp: dict[str, Any] | None, name: str, on_gpu: str) -> Markup:
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
    return Markup('<p class="stamp">{}</p>\n').format(
        f"Executed on {days['executed']} with Python {stamp['python']} "
        f"and torch {stamp['torch']} on {device} in {stamp['seconds']} seconds, "
        f"seed {stamp['seed']}; its assertions hold. "
        f"{since}{gpu}"
    )


def finish(html: str, page: NotebookPage, anchors: Sequence[str]) -> str:
    """Add to what mkdocs-jupyter made of a notebook what its template could not.

    Headings get the anchors of the page's table of contents, figures their files, and
    text between dollars is marked as mathematics. NotebookError when headings or
    figures are not those of the notebook.
    """
    html = html[: html.rindex("<style>")]  # nbconvert's, of a look that is not ours
    html = "".join(map(_mark_mathematics, _TAGS.split(html)))
    html = _ALIGNED.sub(r'align="\1"', html)
    html = _replaced(_HEADING, [_heading(anchor) for anchor in anchors], html)
    html = _replaced(_FIGURE, [_IMAGE.format(*figure) for figure in page.figures], html)
    return html.replace("</h1>", f"</h1>\n{page.head}", 1)


_FIGURE = re.compile("<figure></figure>")
_HEADING = re.compile(
    r'<h(?P<level>[1-6]) id="[^"]*">(?P<text>.*?)<a class="anchor-link".*?</a></h\1>'
)
# The policy of the pages allows no styles.
_ALIGNED = re.compile(r'style="text-align:\s*(\w+);?"')
# Tags, and elements whose text is code: mathematics stands between them.
_TAGS = re.compile(r"(<pre.*?</pre>|<code>.*?</code>|<[^>]*>)", re.DOTALL)
_MATHEMATICS = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$", re.DOTALL)


def _mark_mathematics(html: str) -> str:
    if html.startswith("<"):
        return html
    return _MATHEMATICS.sub(
        lambda match: (
            rf'<span class="arithmatex" data-display>\[{match[1]}\]</span>'
            if match[1]
            else rf'<span class="arithmatex">\({match[2]}\)</span>'
        ),
        html,
    )


def _heading(anchor: str) -> str:
    return (
        rf'<h\g<level> id="{anchor}">\g<text><a class="headerlink" href="#{anchor}" '
        r'title="Permanent link">&para;</a></h\g<level>>'
    )


def _replaced(pattern: re.Pattern[str], by: Sequence[str], html: str) -> str:
    """Replace each match by the template of its place."""
    found = len(pattern.findall(html))
    if found != len(by):
        raise NotebookError(f"expected {len(by)} of {pattern.pattern!r}, got {found}")
    templates = iter(by)
    return pattern.sub(lambda match: match.expand(next(templates)), html)
