"""A notebook's page beyond its cells: figures as files, its head, its claims.

mkdocs-jupyter turns `docs/notebooks/<id>.ipynb` into HTML by a template of ours
(scripts/site/templates/notebook); what a template cannot do is done here. Why so:
docs/decisions/0004-site.md.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
from base64 import b64decode
from collections.abc import Sequence
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup
from PIL import Image
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers.python import PythonLexer

from scripts.base.project import Project
from scripts.catalogue import Publication
from scripts.papers.checks import Checks
from scripts.site import claims, notebook_head

TEMPLATE = Path(__file__).parent / "templates" / "notebook"
_FIGURE_HTML = Markup("<figure>{}<figcaption>{}</figcaption></figure>")
_SLICES = Markup('<div class="{}">{}</div>')
_IMAGE = Markup('<img src="{}" alt="{}" width="{}" height="{}" loading="lazy"{}>')
_PART = Markup(" data-part")
# Pixels: of slices that are wider, a phone shows one in a row.
_NARROW = 240
NO_CHECKS = Checks()


class NotebookError(Exception):
    """A notebook that must not be published as it is."""


class Slice(NamedTuple):
    """A column of a figure's panels as a picture of its own: its name, its size."""

    name: str
    width: int
    height: int


class Figure(NamedTuple):
    """A PNG of a notebook: its name beside the page, its texts, its size in pixels.

    `alt` says what is to be seen, to who cannot see it; `caption` what it is. `slices`
    are its columns of panels, which a phone shows below each other.
    """

    name: str
    alt: str
    width: int
    height: int
    caption: str
    slices: tuple[Slice, ...] = ()

    @property
    def html(self) -> Markup:
        """The figure as it stands on the notebook's page; its first slice tells all."""
        if not self.slices:
            image = _IMAGE.format(self.name, self.alt, self.width, self.height, "")
            return _FIGURE_HTML.format(image, self.caption)
        first, *others = self.slices
        images = [_IMAGE.format(first.name, self.alt, first.width, first.height, "")]
        images += [
            _IMAGE.format(part.name, "", part.width, part.height, _PART)
            for part in others
        ]
        narrow = max(part.width for part in self.slices) <= _NARROW
        kind = "slices narrow" if narrow else "slices"
        return _FIGURE_HTML.format(
            _SLICES.format(kind, Markup("").join(images)), self.caption
        )


class NotebookPage(NamedTuple):
    """A paper's notebook as the site shows it.

    `title` is its heading; `head` is HTML that stands under it; `figures` are those of
    the page, in order, and `files` their PNGs, path under docs/ → content; `stamp` says
    on what and when it ran, `checks` what it asserts. `picture` stands for the paper
    elsewhere: its thumbnail, which the page does not show, or its first figure.
    """

    title: str
    head: str
    files: dict[str, bytes]
    figures: list[Figure]
    stamp: dict[str, Any]
    checks: Checks
    picture: Figure | None

    @property
    def short(self) -> str:
        """NICE, of "NICE: non-linear …"."""
        return self.title.partition(":")[0]

    @property
    def subtitle(self) -> str:
        """Non-linear …, of "NICE: non-linear …"; none of a title without a colon."""
        rest = self.title.partition(":")[2].strip()
        return rest[:1].upper() + rest[1:]


def read(
    docs: Path,
    paper: Publication,
    project: Project,
    on_gpu: str = "",
    checks: Checks = NO_CHECKS,
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
    thumbnails: dict[Figure, bytes] = {}
    for number, cell in enumerate(notebook["cells"], start=1):
        caption = cell["metadata"].get("title", "")
        try:
            for output in cell.get("outputs", []):
                if _is_thumbnail(output):
                    thumbnails |= _figures(output, caption or "Thumbnail")
                else:
                    figures |= _figures(output, caption)
        except NotebookError as error:
            raise NotebookError(f"{path.name}, cell {number}: {error}") from None
    title = _title(notebook["cells"], path.name)
    stamp = notebook["metadata"].get("stamp")
    if not stamp:
        raise NotebookError(f"{path.name} has no stamp (run `make notebooks`)")
    head = notebook_head.head(paper, project, stamp, checks, on_gpu)
    picture = next(iter(thumbnails | figures), None)
    files: dict[str, bytes] = {}
    for figure, png in (figures | thumbnails).items():
        parts = _cut(figure, png)
        if figure == picture or not parts:
            parts[figure.name] = png
        files |= {f"notebooks/{paper.id}/{name}": part for name, part in parts.items()}
    return NotebookPage(title, head, files, list(figures), stamp, checks, picture)


def _is_thumbnail(output: dict[str, Any]) -> bool:
    return "thumbnail" in output.get("metadata", {}).get("image/png", {})


def _cut(figure: Figure, png: bytes) -> dict[str, bytes]:
    """Return the figure's slices as PNGs, by name."""
    parts, left = {}, 0
    with Image.open(io.BytesIO(png)) as whole:
        for number, part in enumerate(figure.slices, 1):
            right = round(
                whole.width
                * sum(p.width for p in figure.slices[:number])
                / figure.width
            )
            packed = io.BytesIO()
            whole.crop((left, 0, right, whole.height)).save(
                packed, "PNG", optimize=True
            )
            parts[part.name], left = packed.getvalue(), right
    return parts


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
    digest = hashlib.sha256(png).hexdigest()[:8]
    width, height = about.get("width", width), about.get("height", height)
    slices = _slices(digest, width, height, about.get("cuts", []))
    return {Figure(f"{digest}.png", alt, width, height, caption, slices): png}


def _slices(
    digest: str, width: int, height: int, cuts: Sequence[float]
) -> tuple[Slice, ...]:
    ends = [0, *(round(width * cut) for cut in cuts), width]
    return tuple(
        Slice(f"{digest}-{number}.png", right - left, height)
        for number, (left, right) in enumerate(pairwise(ends), 1)
        if cuts
    )


def _title(cells: Sequence[dict[str, Any]], name: str) -> str:
    """Return the heading, with which the first cell that is shown begins."""
    shown = [c for c in cells if "setup" not in c["metadata"].get("tags", [])]
    source = "".join(shown[0]["source"]).strip() if shown else ""
    title = source.partition("\n")[0]
    if not title.startswith("# ") or shown[0]["cell_type"] != "markdown":
        raise NotebookError(f"{name} does not begin with a title (`# …`)")
    return title.removeprefix("# ")


def finish(html: str, page: NotebookPage, anchors: Sequence[str]) -> str:
    """Add to what mkdocs-jupyter made of a notebook what its template could not.

    Headings get the anchors of the page's table of contents, figures their files, and
    text between dollars is marked as mathematics; claims stand in tables.
    NotebookError when headings or figures are not those of the notebook.
    """
    html = html[: html.rindex("<style>")]  # nbconvert's, of a look that is not ours
    html = claims.in_tables(html)
    html = "".join(map(_mark_mathematics, _TAGS.split(html)))
    html = _FENCE.sub(r"<pre><code>\1</code></pre>", html)
    html = _CODE.sub(_coloured, html)
    html = _NOTEBOOK.sub(r'href="../\1/\2"', html)
    html = _ALIGNED.sub(r'align="\1"', html)
    html = _replaced(_HEADING, [_heading(anchor) for anchor in anchors], html)
    html = _replaced(_FIGURE, [figure.html for figure in page.figures], html)
    # The template puts the key figure first; it stands under the head.
    key, title, rest = html.partition("<h1 ")
    return (title + rest).replace("</h1>", f"</h1>\n{page.head}{key}", 1)


# The template's code.
_CODE = re.compile(r'<code class="python">(.*?)</code></pre></div>', re.DOTALL)
_LEXER, _FORMATTER = PythonLexer(stripall=True), HtmlFormatter(nowrap=True)


def _coloured(code: re.Match[str]) -> str:
    coloured = highlight(unescape(code[1]), _LEXER, _FORMATTER)
    return f"<code>{coloured}</code></pre></div>\n"


# What nbconvert makes of code that stands in prose.
_FENCE = re.compile(r"<pre><span></span>(.*?)</pre>", re.DOTALL)
# Notebooks lie beside each other in Jupyter; each is a folder on the site.
_NOTEBOOK = re.compile(r'href="([a-z][a-z0-9_]*)\.ipynb(#[^"]*)?"')
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
        r'title="Link">&para;</a></h\g<level>>'
    )


def _replaced(pattern: re.Pattern[str], by: Sequence[str], html: str) -> str:
    """Replace each match by the template of its place."""
    found = len(pattern.findall(html))
    if found != len(by):
        raise NotebookError(f"expected {len(by)} of {pattern.pattern!r}, got {found}")
    templates = iter(by)
    return pattern.sub(lambda match: match.expand(next(templates)), html)
