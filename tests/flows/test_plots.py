"""Figures: the same bytes each time, transparent, never without words."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from IPython import display
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from implementations.core import plots
from implementations.core.toy import Swirl

PAGES = {"white": "#ffffff", "dark": "#1e2129"}


def drawing() -> Figure:
    target = Swirl()
    torch.manual_seed(0)
    fig, axes = plots.figure(columns=3, rows=2, height=4)
    plots.density(axes[0], target.log_prob, target.box, "density")
    plots.scatter(axes[1], target.sample(500), target.box, "samples")
    plots.warp(axes[2], plots.grid_lines((-1, 1, -2, 2)) ** 3, "a bent grid")
    plots.images(axes[3], {"a": torch.rand(4, 8, 8), "b": torch.rand(4, 8, 8)})
    axes[4].plot([1, 2, 3])
    plots.levels(axes[4], {"two": 2.0})
    axes[5].hist([1, 2, 2], label="counts")
    axes[5].legend()
    return fig


def luminance(colour: str) -> float:
    """Relative luminance, as the Web Content Accessibility Guidelines define it."""
    r, g, b = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in to_rgb(colour)
    )
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("colour", ["GREY", "BLUE", "ORANGE", "GREEN"])
def test_colours_are_legible_on_every_page(colour: str, page: str) -> None:
    low, high = sorted(luminance(c) for c in (getattr(plots, colour), PAGES[page]))
    assert (high + 0.05) / (low + 0.05) >= 3


def test_png_is_the_same_bytes_each_time_and_small() -> None:
    data = plots.png(drawing())
    assert data == plots.png(drawing())
    assert len(data) < 40_000
    with Image.open(io.BytesIO(data)) as image:
        assert image.info.keys() <= {"transparency"}
        pixels = np.asarray(image.convert("RGBA"))
    assert pixels.shape == (520, 910, 4)
    assert (pixels[[0, 0, -1, -1], [0, -1, 0, -1], 3] == 0).all()
    assert (pixels[..., 3] == 0).mean() > 0.3


@pytest.mark.parametrize("width", [1.0, 1.23, 2.345, 3.333333])
def test_png_takes_any_size(width: float) -> None:
    fig, _ = plots.figure(width=width, height=1)
    for dpi in (72, 97, 131):
        with Image.open(io.BytesIO(plots.png(fig, dpi))) as image:
            assert image.size == (int(width * dpi), dpi)


def test_no_more_colours_than_fit_lose_nothing() -> None:
    fig, (ax,) = plots.figure(width=2, height=2)
    ax.imshow(np.arange(200).reshape(10, 20), cmap=plots.HEAT, interpolation="nearest")
    ax.axis("off")
    drawn = io.BytesIO()
    fig.savefig(drawn, format="rgba", dpi=100, transparent=True)
    exact = np.frombuffer(drawn.getvalue(), np.uint8).reshape(200, 200, 4)
    with Image.open(io.BytesIO(plots.png(fig, dpi=100))) as image:
        pixels = np.asarray(image.convert("RGBA"))
    visible = exact[..., 3] > 0
    assert (pixels[visible] == exact[visible]).all()
    assert (pixels[~visible, 3] == 0).all()


def test_show_publishes_the_picture_with_its_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    published = []
    monkeypatch.setattr(plots, "in_notebook", lambda: True)
    monkeypatch.setattr(
        display, "publish_display_data", lambda *data: published.append(data)
    )
    plots.show(drawing(), alt="Six small drawings.")
    expected = {"image/png": plots.png(drawing())}
    assert published == [(expected, {"image/png": {"alt": "Six small drawings."}})]


def test_show_is_silent_without_a_kernel(capsys: pytest.CaptureFixture[str]) -> None:
    plots.show(drawing(), alt="Six small drawings.")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("alt", ["", " ", "\n"])
def test_show_refuses_a_figure_without_words(alt: str) -> None:
    with pytest.raises(ValueError, match="expected a text that stands for the figure"):
        plots.show(drawing(), alt=alt)


def test_density_is_drawn_the_right_way_up() -> None:
    _, (ax,) = plots.figure()
    # All mass at the right end of x₁ and at the upper end of x₂.
    plots.density(ax, lambda x: 9 * x.sum(1), (0.0, 1.0, 5.0, 6.0), "corner", n=20)
    (image,) = ax.images
    values = image.get_array()
    assert values is not None and np.unravel_index(values.argmax(), (20, 20)) == (
        19,
        19,
    )
    assert image.origin == "lower" and image.get_extent() == [0, 1, 5, 6]
    plots.density(ax, lambda x: 9 * x[:, 0], (0.0, 1.0, 5.0, 6.0), "right", n=20)
    values = ax.images[1].get_array()
    assert values is not None and (values[:, -1] == values.max()).all()


def test_images_stand_in_rows() -> None:
    _, (ax,) = plots.figure()
    ones = torch.ones(3, 4, 5)
    plots.images(ax, {"none": 0 * ones, "all": ones})
    page = ax.images[0].get_array()
    assert page is not None and page.shape == (2 * 6, 3 * 7)
    assert page[:6].sum() == 0 and page[6:].sum() == 3 * 4 * 5
    assert [label.get_text() for label in ax.get_yticklabels()] == ["none", "all"]


def test_grid_lines() -> None:
    lines = plots.grid_lines((0.0, 1.0, 5.0, 7.0), n=3, fine=4)
    assert lines.shape == (6, 4, 2)
    assert (lines[:3, :, 0] == torch.tensor([0, 0.5, 1])[:, None]).all()
    assert (lines[3:, :, 1] == torch.tensor([5.0, 6, 7])[:, None]).all()
