"""Diagrams of ideas: boxes, arrows, networks and grids, in the look of the figures.

Coordinates are inches from the lower left corner of a panel, so that words keep their
size. `diagram` makes the panels; each is narrow enough for a phone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle

from implementations.core.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, SINGLE, STYLE

Point = tuple[float, float]
Align = Literal["left", "center", "right"]
Edges = Sequence[Sequence[float]]
# What belongs together has one colour; four are told apart.
PALETTE = (BLUE, ORANGE, GREEN, PURPLE)
# Of a shape's colour behind its words, which stay legible; and without words.
TINT, FILL = 0.12, 0.35
# Room between an arrow and what it points to, in inches.
GAP = 0.04


class Outline(NamedTuple):
    """A box or a disc that was drawn: its centre, and half its width and height."""

    x: float
    y: float
    across: float
    up: float
    round: bool = False

    @property
    def left(self) -> Point:
        """The middle of its left side."""
        return self.x - self.across, self.y

    @property
    def right(self) -> Point:
        """The middle of its right side."""
        return self.x + self.across, self.y

    @property
    def top(self) -> Point:
        """The middle of its top side."""
        return self.x, self.y + self.up

    @property
    def bottom(self) -> Point:
        """The middle of its bottom side."""
        return self.x, self.y - self.up

    def edge(self, towards: Point) -> Point:
        """The point of its border in the direction of another point."""
        dx, dy = towards[0] - self.x, towards[1] - self.y
        if self.round:
            far = math.hypot(dx, dy) / self.across
        else:
            far = max(abs(dx) / self.across, abs(dy) / self.up)
        return (self.x + dx / far, self.y + dy / far) if far else (self.x, self.y)


def diagram(
    columns: int = 1, width: float = 3.4, height: float = 2.2
) -> tuple[Figure, list[Axes]]:
    """Return a figure of panels side by side, each of this size in inches.

    Raises:
        ValueError: when a panel is too wide for a phone.
    """
    if width > SINGLE:
        raise ValueError(f"diagram: expected at most {SINGLE} inches, got {width}")
    style.use(STYLE)
    fig = Figure((columns * width, height))
    axes = []
    for column in range(columns):
        ax = fig.add_axes((column / columns, 0, 1 / columns, 1))
        ax.set(xlim=(0, width), ylim=(0, height))
        ax.axis("off")
        axes.append(ax)
    return fig, axes


def words(
    ax: Axes, at: Point, text: str, colour: str = GREY, align: Align = "center"
) -> None:
    """Write words with their centre at a point, or with their left or right end."""
    ax.text(*at, text, color=colour, ha=align, va="center", linespacing=1.3)


def box(
    ax: Axes,
    at: Point,
    text: str = "",
    colour: str = BLUE,
    size: Point = (0.9, 0.4),
    dashed: bool = False,
) -> Outline:
    """Draw a box with words in it; return its shape, to lead arrows to."""
    shape = Outline(*at, size[0] / 2, size[1] / 2)
    corner = at[0] - shape.across, at[1] - shape.up
    look = {"linestyle": "--" if dashed else "-", "linewidth": 1.2}
    rounded = "round,pad=0,rounding_size=0.07"
    for face, edge, alpha in ((colour, "none", TINT), ("none", colour, 1.0)):
        drawn = FancyBboxPatch(
            corner, *size, rounded, facecolor=face, edgecolor=edge, alpha=alpha, **look
        )
        ax.add_patch(drawn)
    words(ax, at, text, colour)
    return shape


def disc(
    ax: Axes, at: Point, text: str = "", colour: str = BLUE, radius: float = 0.17
) -> Outline:
    """Draw a disc: a number of a vector, a unit of a network, or an operator as "+"."""
    for face, edge, alpha in ((colour, "none", TINT), ("none", colour, 1.0)):
        ax.add_patch(
            Circle(at, radius, facecolor=face, edgecolor=edge, alpha=alpha, lw=1.2)
        )
    words(ax, at, text, colour)
    return Outline(*at, radius, radius, round=True)


def arrow(
    ax: Axes,
    start: Outline | Point,
    end: Outline | Point,
    text: str = "",
    colour: str = GREY,
    bend: float = 0.0,
    dashed: bool = False,
    beside: Point = (0.0, 0.12),
) -> None:
    """Draw an arrow from one shape or point to another, its words beside its middle.

    `bend` is how far it curves to the right, as a share of its length; `beside` is
    where the words stand from the middle of the straight line, in inches.
    """
    a, b = (start[0], start[1]), (end[0], end[1])
    p = start.edge(b) if isinstance(start, Outline) else a
    q = end.edge(a) if isinstance(end, Outline) else b
    drawn = FancyArrowPatch(
        p,
        q,
        arrowstyle="-|>",
        mutation_scale=10,
        color=colour,
        linewidth=1.2,
        linestyle="--" if dashed else "-",
        shrinkA=72 * GAP,
        shrinkB=72 * GAP,
        connectionstyle=f"arc3,rad={bend}",
    )
    ax.add_patch(drawn)
    middle = (p[0] + q[0]) / 2 + beside[0], (p[1] + q[1]) / 2 + beside[1]
    words(ax, middle, text, colour)


def line(
    ax: Axes, points: Sequence[Point], colour: str = GREY, dashed: bool = False
) -> None:
    """Draw a line through points, such as one that an arrow branches off."""
    look = {"linestyle": "--" if dashed else "-", "linewidth": 1.2}
    ax.plot(*zip(*points, strict=True), color=colour, solid_capstyle="round", **look)


def halves(
    ax: Axes,
    at: Point,
    names: Sequence[str] = ("$x_1$", "$x_2$"),
    colours: Sequence[str] = (BLUE, ORANGE),
    size: Point = (0.5, 0.42),
    apart: float = 0.9,
) -> list[Outline]:
    """Draw the parts of a vector, the first above the others; return their shapes.

    `at` is the middle of the whole, `apart` the way from one part to the next.
    """
    top = at[1] + apart * (len(names) - 1) / 2
    return [
        box(ax, (at[0], top - apart * k), name, colour, size)
        for k, (name, colour) in enumerate(zip(names, colours, strict=False))
    ]


def network(
    ax: Axes,
    layers: Sequence[Sequence[str]],
    edges: Sequence[Edges],
    corner: Point,
    size: Point,
    colours: Sequence[Sequence[str]] | None = None,
) -> list[list[Outline]]:
    """Draw a network, its inputs below; return the shapes of the units of each layer.

    `layers` names the units of each layer. `edges[k][i][j]` says whether unit i of
    layer k + 1 sees unit j of layer k: those that are cut are drawn faint and dashed.
    """
    gap = size[1] / (len(layers) - 1)
    units: list[list[Outline]] = []
    for k, names in enumerate(layers):
        spread = size[0] / len(names)
        row = []
        for j, name in enumerate(names):
            colour = colours[k][j] if colours else BLUE
            at = corner[0] + spread * (j + 0.5), corner[1] + gap * k
            row.append(disc(ax, at, name, colour))
        units.append(row)
    for (below, above), seen in zip(pairwise(units), edges, strict=True):
        for i, upper in enumerate(above):
            for j, lower in enumerate(below):
                _edge(ax, lower, upper, bool(seen[i][j]))
    return units


def _edge(ax: Axes, lower: Outline, upper: Outline, kept: bool) -> None:
    (x0, y0), (x1, y1) = lower.edge((upper.x, upper.y)), upper.edge((lower.x, lower.y))
    width, dashes, alpha = (1.2, "-", 1.0) if kept else (0.8, ":", 0.5)
    look = {"linewidth": width, "linestyle": dashes, "alpha": alpha, "zorder": 0}
    ax.add_line(Line2D([x0, x1], [y0, y1], color=GREY, **look))


def cells(
    ax: Axes,
    corner: Point,
    filled: Sequence[Sequence[int | None]],
    side: float = 0.3,
    texts: Sequence[Sequence[str]] | None = None,
    colours: Sequence[str] = PALETTE,
) -> Outline:
    """Draw a matrix, or an image's pixels, from the upper row down; return its shape.

    `filled` has the number of each cell's colour, None for an empty cell; `corner` is
    the lower left one.
    """
    rows, columns = len(filled), len(filled[0])
    for i, row in enumerate(filled):
        for j, which in enumerate(row):
            at = corner[0] + side * j, corner[1] + side * (rows - 1 - i)
            colour = GREY if which is None else colours[which]
            if which is not None:
                alpha = TINT if texts else FILL
                ax.add_patch(Rectangle(at, side, side, color=colour, alpha=alpha, lw=0))
            look = {"facecolor": "none", "edgecolor": GREY, "linewidth": 0.8}
            ax.add_patch(Rectangle(at, side, side, **look))
            if texts and texts[i][j]:
                middle = at[0] + side / 2, at[1] + side / 2
                words(ax, middle, texts[i][j], colour)
    across, up = side * columns / 2, side * rows / 2
    return Outline(corner[0] + across, corner[1] + up, across, up)
