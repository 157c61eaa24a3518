"""Figures and diagrams: common scales, round circles, legible colours, columns."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from colorsys import hls_to_rgb
from itertools import pairwise

import IPython.display
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch
from PIL import Image
from torch import Tensor

from implementations.core import pictures
from implementations.core.bijection import Bijection, Mapped
from implementations.core.diagrams import (
    GAP,
    TINT,
    arrow,
    box,
    cells,
    diagram,
    disc,
    halves,
    network,
)
from implementations.core.pictures import cuts, png, show, thumbnail
from implementations.core.plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    densities,
    density,
    figure,
    grid_lines,
    label_lines,
    legend,
    levels,
    scatter,
    square,
    undone,
    warps,
)
from scripts.base.project import ROOT

COLOURS = [GREY, BLUE, ORANGE, GREEN, PURPLE]
Rgb = tuple[float, ...]
WHITE, DARK = (1.0, 1.0, 1.0), hls_to_rgb(222 / 360, 0.14, 0.15)


def contrast(one: Rgb, other: Rgb) -> float:
    """Contrast of two colours, as the accessibility guidelines (WCAG 2) define it."""

    def luminance(colour: Rgb) -> float:
        parts = [
            c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def mixed(colour: Rgb, ground: Rgb, share: float) -> Rgb:
    return tuple(
        share * a + (1 - share) * b for a, b in zip(colour, ground, strict=True)
    )


@pytest.mark.parametrize("name", COLOURS)
@pytest.mark.parametrize("tint", [0.0, TINT])
def test_letters_are_legible_on_light_and_dark_pages(name: str, tint: float) -> None:
    style = (ROOT / "docs/assets/styles/figures.css").read_text("utf-8")
    [brightness] = map(float, re.findall(r"brightness\(([\d.]+)\)", style))
    colour = to_rgb(name)
    bright = tuple(min(1.0, brightness * part) for part in colour)
    assert contrast(colour, mixed(colour, WHITE, tint)) >= 4.5
    assert contrast(bright, mixed(bright, DARK, tint)) >= 4.5


def test_the_dark_page_is_as_dark_as_that() -> None:
    base = (ROOT / "docs/assets/styles/base.css").read_text("utf-8")
    assert "--md-hue: 222;" in base  # of Material's hsla(hue, 15%, 14%, 1)


def bump(width: float) -> Callable[[Tensor], Tensor]:
    def log_prob(x: Tensor) -> Tensor:
        return -x.square().sum(-1) / (2 * width**2) - 2 * torch.tensor(width).log()

    return log_prob


BOX = (-2.0, 2.0, -1.0, 1.0)


def test_equal_densities_have_equal_colours() -> None:
    _, axes = figure(columns=3)
    top = densities(axes, {"wide": bump(1.0), "narrow": bump(0.5)}, BOX, n=21)
    assert top == pytest.approx(4)
    for ax in axes[:2]:
        assert ax.images[0].get_clim() == (0, pytest.approx(4))
        assert ax.get_aspect() == 1.0
    assert density(axes[2], bump(1.0), BOX, "alone", n=21, top=top) == pytest.approx(1)
    assert axes[2].images[0].get_clim() == (0, pytest.approx(4))


def test_stages_of_a_grid_share_their_axes() -> None:
    lines = grid_lines((-1.0, 1.0, -1.0, 1.0))
    _, axes = figure(columns=2)
    warps(axes, {"before": lines, "after": 3 * lines})
    for ax in axes:
        assert ax.get_aspect() == 1.0
        assert [*ax.get_xlim(), *ax.get_ylim()] == pytest.approx([-3.1, 3.1] * 2)


class Doubled(Bijection):
    """z = 2x."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return 2 * x, x.new_zeros(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return z / 2, z.new_zeros(len(z))


class Raised(Doubled):
    """z = x + 1."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return x + 1, x.new_zeros(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return z - 1, z.new_zeros(len(z))


def test_layers_are_undone_from_the_last_to_the_first() -> None:
    lines = grid_lines((-1.0, 1.0, -1.0, 1.0))
    layers = [Doubled((2,)), Raised((2,)), Doubled((2,))]
    stages = undone(layers, lines, {1: "two undone", 0: "data"})
    assert [*stages] == ["noise", "two undone", "data"]
    expected = [lines, lines / 2 - 1, (lines / 2 - 1) / 2]
    for stage, points in zip(stages.values(), expected, strict=True):
        torch.testing.assert_close(stage, points)
    with pytest.raises(KeyError):
        undone(layers, lines, {3: "never reached"})


def test_scattered_points_keep_their_shape() -> None:
    _, [ax] = figure()
    scatter(ax, torch.zeros(3, 2), BOX, "")
    assert ax.get_aspect() == 1.0
    assert (*ax.get_xlim(), *ax.get_ylim()) == BOX


def test_panels_of_the_plane_have_their_height() -> None:
    fig, _ = figure(columns=2, box=BOX)
    assert fig.get_figheight() == pytest.approx((7 / 2 - 0.1) / 2 + 0.3)


def test_lines_are_named_at_their_ends_and_names_stand_apart() -> None:
    fig, axes = figure()
    ax = axes[0]
    for k in range(4):
        ax.plot([0, 1], [0, 1 + 0.01 * k], label=f"curve {k}")
    ax.plot([0, 1], [0, 0])
    levels(ax, {"truth": 1.0})
    label_lines(ax)
    names = {text.get_text(): text for text in ax.texts}
    assert {*names} == {*(f"curve {k}" for k in range(4)), "truth 1.00"}
    assert names["curve 1"].get_color() == ORANGE
    fig.draw_without_rendering()
    spans = sorted(
        (box.y0, box.y1) for box in (text.get_window_extent() for text in ax.texts)
    )
    assert all(below[1] <= above[0] + 1 for below, above in pairwise(spans))
    inside = ax.get_window_extent().x1
    assert all(text.get_window_extent().x0 >= inside for text in ax.texts)


def test_a_legend_stands_beside_the_axes() -> None:
    fig, [ax] = figure()
    ax.plot([0, 1], label="curve")
    legend(ax)
    fig.draw_without_rendering()
    drawn = ax.get_legend()
    assert drawn and drawn.get_window_extent().x0 >= ax.get_window_extent().x1


def test_a_figure_parts_between_its_columns() -> None:
    fig, axes = figure(columns=3, rows=2, width=6)
    for ax in axes:
        ax.set(ylabel="height", title="a title")
    found = cuts(fig)
    assert found == sorted(found) and len(found) == 2
    edges = [fig.bbox.width * cut for cut in found]
    for ax, other in pairwise(axes[:3]):
        here, there = ax.get_tightbbox(), other.get_tightbbox()
        assert here and there
        cut = edges.pop(0)
        assert here.x1 <= cut + 1 and there.x0 >= cut - 1


def test_a_figure_with_words_over_its_columns_stays_whole() -> None:
    fig, _ = figure(columns=2)
    assert len(cuts(fig)) == 1
    fig.suptitle("over both")
    assert cuts(fig) == []
    assert cuts(figure()[0]) == []


def test_a_page_is_told_size_words_and_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    published = []
    monkeypatch.setattr(pictures, "in_notebook", lambda: True)
    monkeypatch.setattr(
        IPython.display, "publish_display_data", lambda *each: published.append(each)
    )
    fig, _ = figure(columns=2, width=6, height=2)
    show(fig, "Two empty panels.")
    fig, ax = square()
    ax.plot([0, 1], [0, 1])
    thumbnail(fig, "A line.")
    [(_, first), (_, second)] = published
    about = first["image/png"]
    assert (about["alt"], about["width"], about["height"]) == (
        "Two empty panels.",
        600,
        200,
    )
    assert about["cuts"] == [pytest.approx(0.5, abs=0.03)]
    assert second["image/png"] == {"alt": "A line.", "thumbnail": True}


@pytest.mark.parametrize("publish", [show, thumbnail])
def test_a_picture_without_words_is_refused(publish: Callable[..., None]) -> None:
    with pytest.raises(ValueError, match="expected a text"):
        publish(square()[0], " ")


def test_a_heavy_thumbnail_is_refused() -> None:
    fig, ax = square()
    ax.imshow(torch.rand(200, 200).numpy(), cmap="viridis")
    with pytest.raises(ValueError, match="expected at most 12000 bytes, got"):
        thumbnail(fig, "Noise.")


@pytest.mark.parametrize("width", [6.9, 3 * 2.3, 3 * 2.4, 10.2])
def test_a_figure_of_any_width_is_packed(width: float) -> None:
    fig, _ = figure(width=width)
    drawn = Image.open(io.BytesIO(png(fig)))
    assert drawn.size == pytest.approx([130 * width, 130 * 2.6], abs=1)


def test_an_arrow_ends_where_its_shapes_begin() -> None:
    _, [ax] = diagram()
    a, b = box(ax, (1, 1), "a", size=(0.8, 0.4)), disc(ax, (3, 1), "b", radius=0.2)
    arrow(ax, a, b, "to")
    [drawn] = [each for each in ax.patches if isinstance(each, FancyArrowPatch)]
    tips = ax.transData.inverted().transform(drawn.get_window_extent().get_points())
    assert tips[:, 0] == pytest.approx([1.4 + GAP, 2.8 - GAP], abs=0.02)
    assert a.edge((1, 9)) == pytest.approx(a.top)
    assert b.edge((3, -9)) == pytest.approx(b.bottom)
    diagonal = b.edge((4, 2))
    assert diagonal[0] - 3 == pytest.approx(0.2 / 2**0.5)


def test_a_network_shows_what_is_cut() -> None:
    _, [ax] = diagram()
    kept = [[1, 0, 0], [1, 1, 0]]
    units = network(ax, [["1", "2", "3"], ["a", "b"]], [kept], (0, 0), (3, 2))
    assert [len(row) for row in units] == [3, 2]
    solid = [line for line in ax.lines if line.get_linestyle() == "-"]
    assert (len(solid), len(ax.lines)) == (3, 6)
    assert all(upper.y == 2 for upper in units[1])


def test_cells_are_filled_from_the_upper_row_down() -> None:
    _, [ax] = diagram()
    shape = cells(ax, (1, 1), [[0, None], [None, None]], side=0.5)
    assert (shape.x, shape.y, shape.across, shape.up) == (1.5, 1.5, 0.5, 0.5)
    filled = [each for each in ax.patches if each.get_alpha() is not None]
    assert [each.get_window_extent().y0 for each in filled] == [
        pytest.approx(ax.transData.transform((1, 1.5))[1])
    ]


def test_halves_stand_above_each_other() -> None:
    _, [ax] = diagram()
    upper, lower = halves(ax, (1, 1))
    assert upper.x == lower.x == 1
    assert upper.y - lower.y == pytest.approx(0.9)
    assert [text.get_text() for text in ax.texts] == ["$x_1$", "$x_2$"]


def test_a_diagram_fits_a_phone() -> None:
    fig, _ = diagram(columns=3, width=2)
    assert fig.get_figwidth() == 6
    assert cuts(fig) == pytest.approx([1 / 3, 2 / 3], abs=1e-3)
    with pytest.raises(ValueError, match="expected at most"):
        diagram(width=6)
