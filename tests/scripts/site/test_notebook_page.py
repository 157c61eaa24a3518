"""From an executed notebook to its page: what is shown, and what is refused."""

from __future__ import annotations

import datetime
import re
import struct
import zlib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import pytest
from bs4 import BeautifulSoup
from mkdocs_jupyter.config import settings as nbconvert
from mkdocs_jupyter.nbconvert2 import nb2html
from mkdocs_jupyter.plugin import get_nb_toc
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from scripts.base.dates import PartialDate
from scripts.base.project import Project
from scripts.catalogue import Publication
from scripts.papers.checks import Checks
from scripts.site import notebook_page
from scripts.site.notebook_page import NO_CHECKS, NotebookError, NotebookPage, finish

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


class Published(NamedTuple):
    """A notebook's page: its HTML, and what was read for it."""

    html: str
    page: NotebookPage

    @property
    def body(self) -> str:
        """The page under its title and head."""
        return self.html.partition(self.page.head)[2]


Render = Callable[..., Published]


@pytest.fixture
def render(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Render:
    """Publish a notebook of the given cells, as MkDocs and the plugin do."""
    monkeypatch.setattr(nbconvert, "templates_dir", str(notebook_page.TEMPLATE))

    def render(
        *cells: NotebookNode,
        stamp: Any = STAMP,
        on_gpu: str = "",
        checks: Checks = NO_CHECKS,
    ) -> Published:
        path = tmp_path / "notebooks" / "nice.ipynb"
        path.parent.mkdir(exist_ok=True)
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        about = {"stamp": stamp, "kernelspec": kernel}
        nbformat.write(new_notebook(cells=list(cells), metadata=about), path)
        page = notebook_page.read(tmp_path, PAPER, PROJECT, on_gpu, checks)
        html = nb2html(str(path), allow_errors=False)
        contents, _ = get_nb_toc(str(path), 6)
        anchors = re.findall(r"#(\S+)$", str(contents), re.MULTILINE)
        return Published(finish(html, page, anchors), page)

    return render


def soup_of(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


def test_under_the_title_stands_what_to_do_with_it(render: Render) -> None:
    html = render(TITLE).html
    assert html.startswith(
        '<h1 id="nice">NICE<a class="headerlink" href="#nice" title="Link">'
        '&para;</a></h1>\n<p class="actions">'
    )
    main, *others = soup_of(html).select(".actions a")
    assert main.text == "Run in Colab"
    assert main["href"] == (
        "https://colab.research.google.com/github/me/flows/blob/main/docs/notebooks/"
        "nice.ipynb"
    )
    assert "md-button--primary" in main["class"]
    assert {link.text: link["href"] for link in others} == {
        "Download": "../nice.ipynb",
        "Source": "https://github.com/me/flows/blob/main/implementations/nice.py",
        "Paper": PAPER.url,
    }
    assert "<style" not in html


def test_the_commands_are_folded(render: Render) -> None:
    fold = soup_of(render(TITLE).html).select("details")[0]
    assert "open" not in fold.attrs
    assert texts(str(fold), "summary") == ["Run locally"]
    lines = texts(str(fold), "code")[0].splitlines()
    assert [line.partition("   #")[0] for line in lines if line[0] != "#"] == [
        "git clone https://github.com/me/flows",
        "cd flows",
        "make notebooks ONLY=nice FORCE=1",
        ".venv/bin/python -m pip install jupyterlab",
        ".venv/bin/jupyter lab docs/notebooks/nice.ipynb",
    ]


def stamped(html: str) -> str:
    [stamp] = soup_of(html).select("details .stamp")
    return stamp.text


def test_the_stamp_is_folded(render: Render) -> None:
    assert stamped(render(TITLE).html) == (
        "Executed on Nov 23, 2026 with Python 3.11 and torch 2.13.0 on a CPU in 41 "
        "seconds, seed 0; its assertions hold. Its code has not changed since Nov 21, "
        "2026."
    )


def chips(html: str) -> list[str]:
    return [chip.text for chip in soup_of(html).select(".chips li")]


@pytest.mark.parametrize(
    ("seconds", "words"), [(41, "41 s"), (60, "1 min"), (107, "1 min 47 s")]
)
def test_a_chip_says_how_long_it_takes(
    render: Render, seconds: int, words: str
) -> None:
    html = render(TITLE, stamp=STAMP | {"seconds": seconds}).html
    assert chips(html) == [f"{words} on a CPU"]


def test_checks_are_counted_and_their_seeds_told(render: Render) -> None:
    said = code("claim()", claimed("✓ It is **0.5**", "below 1"))
    html = render(TITLE, said, checks=Checks(11, 5)).html
    assert chips(html)[0] == "✓ 11 checks hold"
    [link] = soup_of(html).select(".chips a")
    assert soup_of(html).select(f"table{link['href']}")
    assert "its assertions hold. They were repeated over 5 seeds." in stamped(html)


def test_the_stamp_of_a_replayed_notebook_says_so(render: Render) -> None:
    again = STAMP | {"changed": "2026-11-29", "replayed": "2026-11-29"}
    shown = stamped(render(TITLE, stamp=again).html)
    assert "Executed on Nov 23, 2026 with" in shown
    assert (
        "Replayed on Nov 29, 2026: its code has changed since, and a short run gives "
        "the same numbers."
    ) in shown
    assert "has not changed" not in shown


def test_a_run_on_a_gpu_is_told_in_the_stamp(render: Render) -> None:
    told = "A Card, Nov 29, 2026: 41 seconds, 8 of 8 claims hold"
    html = render(TITLE, on_gpu=told).html
    assert stamped(html).endswith(f"On a GPU: {told}.")


def claimed(sentence: str, bound: str) -> NotebookNode:
    text = f"> {sentence} (claimed: {bound})"
    return new_output("display_data", {"text/markdown": text, "text/plain": "…"})


def test_claims_in_a_row_are_a_table(render: Render) -> None:
    both = code(
        "claim()",
        claimed("✓ The gap (in nats) is **0.01** at most", "below 0.1"),
        claimed("✓ moons: gap: **0.5**", "above 0.3 and below 1"),
    )
    later = code("claim()", claimed("✓ It is **3**", "above 2"))
    body = soup_of(render(TITLE, both, code("1"), later).body)
    first, second = body.select("table.claims")
    assert first["id"] and "id" not in second.attrs
    assert [th.text for th in first.select("th")] == [
        *("Claim", "Bound", "Measured", "Holds")
    ]
    assert [[td.text for td in tr.select("td")] for tr in first.select("tbody tr")] == [
        ["The gap (in nats) is 0.01 at most", "below 0.1", "0.01", "✓"],
        ["moons: gap", "above 0.3 and below 1", "0.5", "✓"],
    ]
    assert not body.select("blockquote")


def test_a_claim_that_is_broken_says_so(render: Render) -> None:
    cell = code("claim()", claimed("✗ It is **2**", "below 1"))
    assert texts(render(TITLE, cell).body, "td")[-1] == "✗"


def test_other_quotations_stay(render: Render) -> None:
    quoted = new_markdown_cell("> ✓ Nothing is claimed here\n\n> Nor (claimed: here)")
    body = soup_of(render(TITLE, quoted).body)
    assert body.select("blockquote") and not body.select("table")


def test_the_key_figure_stands_before_the_prose_and_any_code(render: Render) -> None:
    drawn = code("draw()", figure(png(2, 1), alt="A"), tags=("plot",), title="A")
    body = render(TITLE, code("import a", tags=("imports",)), drawn, code("b")).body
    assert body.lstrip().startswith("<figure>")
    assert body.index("</figure>") < body.index("A flow.")
    assert texts(body, "summary") == [
        "Show the imports",
        "Show the code of the first figure",
    ]
    assert len(texts(body, "figure")) == 1


def test_code_that_the_key_figure_needs_is_folded_below_it(render: Render) -> None:
    drawn = code("draw()", figure(png(2, 1), alt="A"), tags=("plot",), title="A")
    body = render(TITLE, code("needed"), drawn, code("b")).body
    assert body.lstrip().startswith("<figure>")
    assert texts(body, "details") == [
        "Show what the first figure needs\nneeded",
        "Show the code of the first figure\ndraw()",
    ]
    assert len(texts(body, "figure")) == 1


def test_the_cell_that_installs_is_left_out(render: Render) -> None:
    install = code("%pip install flows", printed("Installed"), tags=("setup",))
    assert render(install, TITLE).html == render(TITLE).html


def texts(html: str, tag: str) -> list[str]:
    """The text of each element of this kind, blanks around it dropped."""
    found = BeautifulSoup(html, "html.parser").find_all(tag)
    return [element.get_text().strip() for element in found]


def test_code_and_what_it_prints(render: Render) -> None:
    body = render(TITLE, code("print(1 < 2)", printed("1 < 2\n"))).body
    assert texts(body, "code") == ["print(1 < 2)", "1 < 2"]
    assert '<div class="highlight"><pre><code>' in body
    assert '<div class="output no-copy highlight"><pre><code>1 &lt; 2' in body


@pytest.mark.parametrize("source", ['"""\n````\n"""', '"""\n~~~~~~\n"""', "x = '$a$'"])
def test_code_is_shown_as_it_is(render: Render, source: str) -> None:
    body = render(TITLE, code(source)).body
    assert texts(body, "code") == [source]
    assert "arithmatex" not in body


def test_plotting_code_is_folded_and_its_figure_is_not(render: Render) -> None:
    drawn = figure(png(2, 1), alt="Two")
    cell = code("plot()\nshow()", drawn, tags=("plot",), title="One, and two")
    first = code("draw()", figure(png(2, 1), alt="A"), tags=("plot",), title="First")
    body = render(TITLE, first, code("1"), cell).body
    assert re.search("</figure>.*</figure>.*<details", body, re.DOTALL)
    assert texts(body, "figcaption") == ["First", "One, and two"]
    assert texts(body, "details")[1:] == ["Show the code\nplot()\nshow()"]


def test_imports_are_folded(render: Render) -> None:
    body = render(TITLE, code("import math", tags=("imports",))).body
    assert texts(body, "details") == ["Show the imports\nimport math"]


def test_a_figure_becomes_a_file_named_by_its_content(render: Render) -> None:
    image = png(3, 2)
    cell = code("", figure(image, alt='A "bell" & <two>'), title="1 < 2, for $5")
    published = render(TITLE, cell)
    [path] = published.page.files
    assert published.page.files[path] == image
    name = path.removeprefix("notebooks/nice/")
    assert (
        f'<figure><img src="{name}" alt="A &#34;bell&#34; &amp; &lt;two&gt;" '
        'width="3" height="2" loading="lazy">'
        "<figcaption>1 &lt; 2, for $5</figcaption></figure>\n"
    ) in published.body


def test_a_figure_may_say_how_large_it_is_shown(render: Render) -> None:
    about = {"alt": "A", "width": 30, "height": 20}
    published = render(TITLE, code("", figure(png(60, 40), **about), title="A"))
    assert 'width="30" height="20"' in published.body


def test_a_figure_is_cut_between_its_columns(render: Render) -> None:
    about = {"alt": "A and B", "width": 300, "height": 50, "cuts": [0.5, 0.75]}
    cell = code("", figure(png(600, 100), **about), title="Both")
    published = render(TITLE, cell)
    found = BeautifulSoup(published.body, "html.parser").select("figure > .slices img")
    assert [(i["width"], i["height"], i["alt"]) for i in found] == [
        ("150", "50", "A and B"),
        ("75", "50", ""),
        ("75", "50", ""),
    ]
    assert ["data-part" in image.attrs for image in found] == [False, True, True]
    names = [f"notebooks/nice/{image['src']}" for image in found]
    *parts, whole = published.page.files
    assert parts == names
    assert whole.removesuffix(".png") == names[0].removesuffix("-1.png")
    sizes = [struct.unpack(">II", published.page.files[n][16:24]) for n in names]
    assert sizes == [(300, 100), (150, 100), (150, 100)]
    assert "slices narrow" in published.body


def test_of_wide_slices_a_phone_shows_one_in_a_row(render: Render) -> None:
    about = {"alt": "A", "width": 700, "height": 50, "cuts": [0.5]}
    body = render(TITLE, code("", figure(png(700, 50), **about), title="A")).body
    assert '<div class="slices"><img' in body


def test_a_thumbnail_stands_for_the_paper_and_not_on_its_page(render: Render) -> None:
    shown = code("", figure(png(20, 10), alt="A", cuts=[0.5]), title="A")
    small = figure(png(5, 5), alt="Small", thumbnail=True)
    published = render(TITLE, shown, code("draw()", small, tags=("plot", "thumbnail")))
    picture = published.page.picture
    assert picture and picture.alt == "Small"
    assert published.page.files[f"notebooks/nice/{picture.name}"] == png(5, 5)
    assert len(published.page.files) == 3  # two slices, and not their whole
    assert [figure.alt for figure in published.page.figures] == ["A"]
    assert texts(published.body, "details") == [
        "Show the code of this notebook's picture in the gallery\ndraw()"
    ]


def test_without_a_thumbnail_the_first_figure_stands_for_the_paper(
    render: Render,
) -> None:
    cells = [code("", figure(png(1, n), alt=f"{n}"), title="A") for n in (1, 2)]
    picture = render(TITLE, *cells).page.picture
    assert picture and picture.alt == "1"
    assert render(TITLE).page.picture is None


def test_answers_and_checks_are_folded_with_what_they_hold(render: Render) -> None:
    answer = "Yes, $x$.\n\n| a |\n| - |\n| 1 |"
    fold = f"<details><summary>Answer</summary>\n\n{answer}\n\n</details>"
    edit = "```diff\n- a = 1\n+ a = 2\n```"
    body = render(TITLE, new_markdown_cell(f"{edit}\n\n{fold}")).body
    soup = BeautifulSoup(body, "html.parser")
    assert [td.text for td in soup.select("details td")] == ["1"]
    assert soup.select("details .arithmatex")
    assert soup.select("pre > code > .gd")
    assert [s.text.strip() for s in soup.select(".gd, .gi")] == ["- a = 1", "+ a = 2"]


def test_a_link_to_another_notebook_leads_to_its_page(render: Render) -> None:
    source = "[A](maf.ipynb), [B](real_nvp.ipynb#digits), [C](https://a.org/b.ipynb)"
    soup = BeautifulSoup(render(TITLE, new_markdown_cell(source)).body, "html.parser")
    assert [a["href"] for a in soup.select("p > a")] == [
        "../maf/",
        "../real_nvp/#digits",
        "https://a.org/b.ipynb",
    ]


def test_text_between_dollars_is_mathematics(render: Render) -> None:
    source = "with $a_1 < b_1$ so that\n$$a_2\n= b_2$$\nand `$c$`"
    body = render(TITLE, new_markdown_cell(source)).body
    assert '<span class="arithmatex">\\(a_1 &lt; b_1\\)</span>' in body
    assert '<span class="arithmatex" data-display>\\[a_2\n= b_2\\]</span>' in body
    assert "<code>$c$</code>" in body


def test_headings_have_the_anchors_of_the_table_of_contents(render: Render) -> None:
    source = "## Digits\n\n## The map $f$: `x` to z\n\n## Digits\n\n### More"
    body = render(TITLE, new_markdown_cell(source)).body
    found = BeautifulSoup(body, "html.parser").find_all(["h2", "h3"])
    anchors = [str(heading["id"]) for heading in found]
    assert len({*anchors}) == 4
    assert [heading.a["href"] for heading in found if heading.a] == [
        f"#{anchor}" for anchor in anchors
    ]


def test_markdown_and_plain_results_are_shown(render: Render) -> None:
    table = {"text/markdown": "| a |\n|--:|\n| 1 |", "text/plain": "<Table>"}
    plain = {"text/plain": "0.5"}
    cell = code(
        "", new_output("display_data", table), new_output("execute_result", plain)
    )
    body = render(TITLE, cell).body
    assert texts(body, "td") == ["1"] and '<td align="right">' in body
    assert texts(body, "code")[-1] == "0.5"


def test_other_devices_are_named_as_they_are(render: Render) -> None:
    stamp = STAMP | {"device": "NVIDIA H200"}
    shown = render(TITLE, stamp=stamp).html
    assert "on NVIDIA H200 in 41 seconds" in stamped(shown)
    assert chips(shown) == ["41 s on NVIDIA H200"]


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
        notebook_page.read(tmp_path, PAPER, PROJECT)
    assert str(refusal.value) == (
        "docs/notebooks/nice.ipynb is missing (run `make notebooks ONLY=nice`)"
    )
