"""An output is small, described, and the same on every run; or refused."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.execute.outputs import clean
from scripts.papers.cells import Cell, CellError

CELLS = [Cell("code", "a", (7,)), Cell("code", "b\nc", (11, 12))]
NO_ALT = "a picture without a description: show it by plots.show(fig, alt=…)"


def printed(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def shown(mime: str, content: str, **metadata: Any) -> dict[str, Any]:
    data = {mime: content}
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def picture(alt: str, size: int = 8) -> dict[str, Any]:
    return shown("image/png", "A" * size, **{"image/png": {"alt": alt}})


def test_prints_in_a_row_become_one_and_stderr_nothing() -> None:
    figure, value = picture("A circle."), shown("text/plain", "3")
    given = [
        printed("a\n"),
        printed("warning\n", "stderr"),
        printed("b\n"),
        figure,
        printed("c\n"),
        printed("d\n"),
        value,
    ]
    kept = clean(CELLS, [given, [printed("x", "stderr")]], "nice.py")
    assert kept == [[printed("a\nb\n"), figure, printed("c\nd\n"), value], []]


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        (shown("image/png", "AAAA"), NO_ALT),
        (shown("image/svg+xml", "<svg/>", **{"image/svg+xml": {"alt": " "}}), NO_ALT),
        (picture("No description has been provided for this image"), NO_ALT),
        (
            shown("text/plain", "<Figure size 640x480 with 1 Axes>"),
            "a figure's name in place of the figure: show it by plots.show",
        ),
        (
            shown("application/vnd.jupyter.widget-view+json", "{}"),
            "publishes application/vnd.jupyter.widget-view+json, "
            "but a page shows text and pictures only",
        ),
        (
            printed("f is <function f at 0x7f3efb952c90>\n"),
            "`f at 0x7f3efb952c90` changes with every run: show something else",
        ),
        (
            shown("text/html", "<b>&lt;A object at 0x7f3e&gt;</b>"),
            "`object at 0x7f3e` changes with every run: show something else",
        ),
    ],
)
def test_refuses(output: dict[str, Any], problem: str) -> None:
    with pytest.raises(CellError) as error:
        clean(CELLS, [[], [printed("fine\n"), output]], "nice.py")
    assert str(error.value) == f"nice.py:11: {problem}"


def test_keeps_what_fits_and_names_the_cell_that_does_not() -> None:
    half = picture("Half.", 149_800)
    clean(CELLS, [[half], [half]], "nice.py")
    with pytest.raises(CellError) as error:
        clean(CELLS, [[half], [half, printed("x" * 2_000)]], "nice.py")
    assert str(error.value) == (
        "nice.py:11: the notebook's outputs come to 301 kB, 151 kB of them here; "
        "at most 300 kB are committed"
    )
