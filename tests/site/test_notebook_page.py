"""From an executed notebook to its page: what is shown, and what is refused."""

from __future__ import annotations

import datetime
import re
import struct
import zlib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from scripts.catalogue import Publication
from scripts.dates import PartialDate
from scripts.notebook_page import NotebookError
from scripts.notebook_page import render as render_page
from scripts.project import Project

STAMP = {
    "changed": "2026-11-21",
    "executed": "2026-11-23",
    "python": "3.11",
    "torch": "2.13.0",
    "device": "cpu",
    "seed": 0,
    "seconds": 41,
}
PAPER = Publication(
    id="nice",
    title="NICE",
    authors=("Laurent Dinh",),
    date=PartialDate(2014, 10, 30),
    url="https://arxiv.org/abs/1410.8516",
    note="A note.",
    tags=(),
    added=datetime.date(2026, 11, 23),
)
PROJECT = Project("Flows", "https://flows.example/", "https://github.com/me/flows")
TITLE = new_markdown_cell("# NICE\n\nA flow.")


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def figure(image: bytes, **about: Any) -> NotebookNode:
    data = {"image/png": b64encode(image).decode()}
    return new_output("display_data", data=data, metadata={"image/png": about})


def printed(text: str, name: str = "stdout") -> NotebookNode:
    return new_output("stream", name=name, text=text)


def code(
    source: str, *outputs: NotebookNode, tags: tuple[str, ...] = (), title: str = ""
) -> NotebookNode:
    about = {"tags": list(tags), "title": title}
    return new_code_cell(source, outputs=list(outputs), metadata=about)


Render = Callable[..., dict[str, str | bytes]]


@pytest.fixture
def render(tmp_path: Path) -> Render:
    """Publish a notebook of the given cells."""

    def render(
        *cells: NotebookNode, stamp: Any = STAMP, on_gpu: str = ""
    ) -> dict[str, str | bytes]:
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        notebook = new_notebook(cells=list(cells), metadata={"stamp": stamp})
        nbformat.write(notebook, tmp_path / "notebooks" / "nice.ipynb")
        return render_page(tmp_path, PAPER, PROJECT, on_gpu).files

    return render


def page(published: dict[str, str | bytes]) -> str:
    text = published["notebooks/nice.md"]
    assert isinstance(text, str)
    return text


def test_under_the_title_stand_the_links_and_the_stamp(render: Render) -> None:
    assert (
        page(render(TITLE))
        == """\
# NICE

[Paper](../papers/nice.md)
[Open in Colab](https://colab.research.google.com/github/me/flows/blob/main/docs/notebooks/nice.ipynb)
[Download](nice.ipynb)
[Source](https://github.com/me/flows/blob/main/implementations/nice.py)
{ .links }

Executed on Nov 23, 2026 with Python 3.11 and torch 2.13.0 on a CPU in 41 seconds, \
seed 0; its assertions hold. Its code has not changed since Nov 21, 2026. \
On a GPU: not measured.
{ .stamp }

A flow.
"""
    )


def test_the_stamp_of_a_replayed_notebook_says_so(render: Render) -> None:
    again = STAMP | {"changed": "2026-11-29", "replayed": "2026-11-29"}
    shown = page(render(TITLE, stamp=again))
    assert "Executed on Nov 23, 2026 with" in shown
    assert (
        "Replayed on Nov 29, 2026: its code has changed since, and a short run gives "
        "the same numbers."
    ) in shown
    assert "has not changed" not in shown


def test_a_run_on_a_gpu_is_told_in_the_stamp(render: Render) -> None:
    told = "A Card, Nov 29, 2026: 41 seconds, 8 of 8 claims hold"
    assert f"On a GPU: {told}.\n{{ .stamp }}" in page(render(TITLE, on_gpu=told))


def test_the_cell_that_installs_is_left_out(render: Render) -> None:
    install = code("%pip install flows", printed("Installed"), tags=("setup",))
    assert page(render(install, TITLE)) == page(render(TITLE))


def test_code_and_what_it_prints(render: Render) -> None:
    assert page(render(TITLE, code("print(1)", printed("1\n")))).endswith(
        "```python\nprint(1)\n```\n\n```{ .text .output .no-copy }\n1\n```\n"
    )


def test_a_fence_is_longer_than_those_in_the_code(render: Render) -> None:
    source = '"""\n````\n"""'
    assert f"`````python\n{source}\n`````" in page(render(TITLE, code(source)))


def test_plotting_code_is_folded_and_its_figure_is_not(render: Render) -> None:
    drawn = figure(png(2, 1), alt="Two")
    cell = code("plot()\nshow()", drawn, tags=("plot",), title="One, and two")
    assert re.search(
        "<figure>.*<figcaption>One, and two</figcaption></figure>\n\n"
        r'\?\?\? fold "Show the code"\n\n    ```python\n    plot\(\)\n    show\(\)\n'
        "    ```\n$",
        page(render(TITLE, cell)),
    )


FOLDED = '??? fold "Show the imports"\n\n    ```python\n    '


@pytest.mark.parametrize(
    "source",
    ["import math", '"""NICE."""\n\nfrom math import pi\n\nG = "g"', "import a, b"],
)
def test_what_only_imports_is_folded(render: Render, source: str) -> None:
    shown = page(render(TITLE, code(source)))
    assert FOLDED + source.partition("\n")[0] in shown


@pytest.mark.parametrize(
    "source",
    [
        "G = 1",
        "import math\n\nmath.pi",
        "import a\n\ndef f(): pass",
        "import a\na.run()",
    ],
)
def test_what_does_more_is_not_folded(render: Render, source: str) -> None:
    assert page(render(TITLE, code(source))).endswith(f"```python\n{source}\n```\n")


def test_a_figure_becomes_a_file_named_by_its_content(render: Render) -> None:
    image = png(3, 2)
    cell = code("", figure(image, alt='A "bell" & <two>'), title="1 < 2")
    published = render(TITLE, cell)
    [path] = [path for path in published if path.endswith(".png")]
    assert published[path] == image
    name = path.removeprefix("notebooks/nice/")
    assert page(published).endswith(
        f'<figure><img src="{name}" alt="A &#34;bell&#34; &amp; &lt;two&gt;" '
        'width="3" height="2" loading="lazy">'
        "<figcaption>1 &lt; 2</figcaption></figure>\n"
    )


def test_a_figure_may_say_how_large_it_is_shown(render: Render) -> None:
    about = {"alt": "A", "width": 30, "height": 20}
    published = render(TITLE, code("", figure(png(60, 40), **about), title="A"))
    assert 'width="30" height="20"' in page(published)


def test_displayed_mathematics_stands_apart(render: Render) -> None:
    cell = new_markdown_cell("so that\n$$a\n= b$$\nwith $b$:\n\n- one\n  $$c$$\n- two")
    assert page(render(TITLE, cell)).endswith(
        "so that\n\n$$a\n= b$$\n\nwith $b$:\n\n- one\n\n  $$c$$\n\n- two\n"
    )


def test_markdown_and_plain_results_are_shown(render: Render) -> None:
    table = {"text/markdown": "| a |\n|---|", "text/plain": "<Table>"}
    plain = {"text/plain": "0.5"}
    cell = code(
        "", new_output("display_data", table), new_output("execute_result", plain)
    )
    assert page(render(TITLE, cell)).endswith(
        "| a |\n|---|\n\n```{ .text .output .no-copy }\n0.5\n```\n"
    )


def test_other_devices_are_named_as_they_are(render: Render) -> None:
    stamp = STAMP | {"device": "NVIDIA H200"}
    shown = page(render(TITLE, stamp=stamp))
    assert "on NVIDIA H200 in 41 seconds" in shown
    assert "not measured" not in shown


SVG = new_output("display_data", {"image/svg+xml": "<svg/>"})
ERROR = new_output("error", ename="ValueError", evalue="negative", traceback=[])


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        (ERROR, "it raised ValueError: negative"),
        (printed("careful\n", "stderr"), "it wrote to stderr: careful"),
        (figure(png(1, 1)), "a figure has no alt text (`plots.show` takes it)"),
        (
            figure(png(1, 1), alt=" \n"),
            "a figure has no alt text (`plots.show` takes it)",
        ),
        (
            figure(png(1, 1), alt="A"),
            'a figure has no caption (`# %% Caption tags=["plot"]`)',
        ),
        (SVG, "it shows image/svg+xml, but a page PNG, Markdown and plain text"),
    ],
    ids=["error", "stderr", "no alt", "blank alt", "no caption", "svg"],
)
def test_what_may_not_be_published(
    render: Render, output: NotebookNode, fault: str
) -> None:
    with pytest.raises(NotebookError) as refusal:
        render(TITLE, code("run()", output))
    assert str(refusal.value) == f"nice.ipynb, cell 2: {fault}"


def test_a_notebook_without_stamp_is_refused(render: Render) -> None:
    with pytest.raises(NotebookError) as refusal:
        render(TITLE, stamp=None)
    assert str(refusal.value) == "nice.ipynb has no stamp (run `make notebooks`)"


@pytest.mark.parametrize("cells", [(), (code("1"), TITLE)], ids=["empty", "code first"])
def test_a_notebook_without_title_is_refused(
    render: Render, cells: tuple[NotebookNode, ...]
) -> None:
    with pytest.raises(NotebookError) as refusal:
        render(*cells)
    assert str(refusal.value) == "nice.ipynb does not begin with a title (`# …`)"


def test_a_missing_notebook_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotebookError) as refusal:
        render_page(tmp_path, PAPER, PROJECT)
    assert str(refusal.value) == (
        "docs/notebooks/nice.ipynb is missing (run `make notebooks ONLY=nice`)"
    )
