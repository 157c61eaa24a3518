"""Figures: one look, transparent, legible on light and on dark pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from cycler import cycler
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from implementations.core.bijection import Bijection
from implementations.core.environment import device
from implementations.core.pictures import png, show, thumbnail
from implementations.core.toy import Box

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "HEAT",
    "INK",
    "ORANGE",
    "PURPLE",
    "densities",
    "density",
    "figure",
    "grid_lines",
    "images",
    "label_lines",
    "legend",
    "levels",
    "png",
    "scatter",
    "show",
    "square",
    "thumbnail",
    "undone",
    "warp",
    "warps",
]

# Dark enough for letters on white; a dark page shows figures 1.6 times as bright
# (docs/assets/styles/figures.css), which is bright enough for letters there.
GREY, BLUE, ORANGE, GREEN = "#666666", "#2a66b2", "#a84f14", "#277242"
PURPLE = "#734dc0"
INK = LinearSegmentedColormap.from_list("ink", [(0.16, 0.4, 0.7, 0.0), BLUE])
HEAT = LinearSegmentedColormap.from_list(
    "heat", [(0.25, 0.53, 0.84, 0.0), (0.25, 0.53, 0.84, 0.75), "#8a63d2", "#e8743b"]
)
COLOURED = ("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor")
STYLE = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, PURPLE, GREY]),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    **dict.fromkeys((*COLOURED, "xtick.color", "ytick.color"), GREY),
}
# Inches. A single panel is as wide as a phone can show with letters of 9 pixels.
SINGLE, WIDE = 4.8, 7.0


def figure(
    columns: int = 1,
    rows: int = 1,
    width: float | None = None,
    height: float = 2.6,
    box: Box | None = None,
) -> tuple[Figure, list[Axes]]:
    """Return a figure in the shared look, sizes in inches, and its axes row by row.

    Where panels show the plane with equal units, `box` (x₁ from, to, x₂ from, to) gives
    the height instead.
    """
    style.use(STYLE)
    width = width or (WIDE if columns > 1 else SINGLE)
    if box:
        panel = width / columns - 0.1
        height = rows * (panel * (box[3] - box[2]) / (box[1] - box[0]) + 0.3)
    # Not pyplot's: such a figure belongs to nobody, so no kernel shows it twice.
    fig = Figure((width, height), layout="constrained")
    return fig, list(fig.subplots(rows, columns, squeeze=False).flat)


def square() -> tuple[Figure, Axes]:
    """Return a square figure for `thumbnail`, all of it one panel without axes."""
    style.use(STYLE)
    fig = Figure((3.2, 3.2))
    ax = fig.add_axes((0.02, 0.02, 0.96, 0.96))
    ax.set_aspect("equal", adjustable="datalim")
    ax.axis("off")
    return fig, ax


def densities(
    axes: Sequence[Axes],
    log_probs: Mapping[str, Callable[[Tensor], Tensor]],
    box: Box,
    n: int = 160,
) -> float:
    """Draw densities side by side, by title, in one scale of colours; return its top.

    A density has the same colour in every panel.
    """
    drawn = [_evaluate(log_prob, box, n) for log_prob in log_probs.values()]
    top = max(float(p.max()) for p in drawn)
    for ax, title, p in zip(axes, log_probs, drawn, strict=False):
        _heat(ax, p, box, title, top)
    return top


def density(
    ax: Axes,
    log_prob: Callable[[Tensor], Tensor],
    box: Box,
    title: str,
    n: int = 160,
    top: float | None = None,
) -> float:
    """Draw exp(log_prob) over the box (x₁ from, to, x₂ from, to); return its maximum.

    `top` is the density of the warmest colour: pass that of another panel which this
    one is compared with.
    """
    p = _evaluate(log_prob, box, n)
    _heat(ax, p, box, title, top)
    return float(p.max())


@torch.no_grad()
def _evaluate(log_prob: Callable[[Tensor], Tensor], box: Box, n: int) -> Tensor:
    x = torch.linspace(box[0], box[1], n, device=device())
    y = torch.linspace(box[2], box[3], n, device=device())
    return log_prob(torch.cartesian_prod(x, y)).exp().reshape(n, n).T.cpu()


def _heat(ax: Axes, p: Tensor, box: Box, title: str, top: float | None) -> None:
    # Smoothing makes thousands of colours of a few hundred, and files twice as large.
    look = {"cmap": HEAT, "aspect": "equal", "interpolation": "nearest"}
    ax.imshow(p.numpy(), extent=box, origin="lower", vmin=0, vmax=top, **look)
    ax.set_title(title)
    ax.axis("off")


def scatter(ax: Axes, x: Tensor, box: Box, title: str) -> None:
    """Draw points of shape (n, 2) with equal units; points outside the box are cut."""
    ax.plot(*x.T.cpu().numpy(), ".", color=BLUE, markersize=2, alpha=0.5)
    ax.set(xlim=box[:2], ylim=box[2:], title=title, aspect="equal")
    ax.axis("off")


def grid_lines(box: Box, n: int = 17, fine: int = 120) -> Tensor:
    """Return the lines of an n × n grid, of shape (2n, fine, 2): upright ones first."""
    x = torch.linspace(box[0], box[1], n, device=device())
    y = torch.linspace(box[2], box[3], n, device=device())
    along_x = torch.linspace(box[0], box[1], fine, device=device())
    along_y = torch.linspace(box[2], box[3], fine, device=device())
    upright = torch.cartesian_prod(x, along_y).reshape(n, fine, 2)
    level = torch.cartesian_prod(y, along_x).reshape(n, fine, 2).flip(-1)
    return torch.cat((upright, level))


@torch.no_grad()
def undone(
    layers: Sequence[Bijection], lines: Tensor, named: Mapping[int, str]
) -> dict[str, Tensor]:
    """Undo layers, the last one first, on `grid_lines`; return stages for `warps`.

    The first stage is the noise. `named` names the others by how many layers are left;
    0 are left at the data. All have the shape of the lines.
    """
    moved, stages = lines, {}
    for left, layer in reversed(list(enumerate(layers))):
        moved = layer.inverse(moved.flatten(0, 1))[0].view_as(lines)
        stages[left] = moved
    return {"noise": lines} | {name: stages[left] for left, name in named.items()}


def warps(axes: Sequence[Axes], stages: Mapping[str, Tensor]) -> None:
    """Draw stages of `grid_lines` side by side, by title, all in the same axes."""
    points = torch.cat([lines.flatten(0, 1) for lines in stages.values()])
    low, high = (points.amin(0) - 0.1).tolist(), (points.amax(0) + 0.1).tolist()
    box = low[0], high[0], low[1], high[1]
    for ax, (title, lines) in zip(axes, stages.items(), strict=False):
        warp(ax, lines, title, box)


def warp(ax: Axes, lines: Tensor, title: str, box: Box | None = None) -> None:
    """Draw what has become of `grid_lines`: upright ones blue, level ones orange.

    `box` gives the axes: pass the same to panels that are compared, or use `warps`.
    """
    half = len(lines) // 2
    colours = [BLUE] * half + [ORANGE] * half
    ax.add_collection(
        LineCollection(list(lines.cpu().numpy()), colors=colours, linewidths=0.8)
    )
    ax.autoscale()
    ax.set_aspect("equal", adjustable="box" if box else "datalim")
    if box:
        ax.set(xlim=box[:2], ylim=box[2:])
    ax.set_title(title)
    ax.axis("off")


def images(ax: Axes, rows: Mapping[str, Tensor]) -> None:
    """Draw rows of images, each of shape (n, height, width), 0 transparent, 1 ink."""
    pixels = torch.stack(list(rows.values())).cpu()
    padded = torch.nn.functional.pad(pixels, (1, 1, 1, 1))
    page = padded.permute(0, 2, 1, 3).flatten(2).flatten(0, 1)
    ax.imshow(page.numpy(), cmap=INK, vmin=0, vmax=1, interpolation="nearest")
    height = padded.shape[2]
    ax.set_yticks([height * (k + 0.5) for k in range(len(rows))], list(rows))
    ax.tick_params(length=0, bottom=False, labelbottom=False)
    ax.spines[:].set_visible(False)


def levels(ax: Axes, heights: Mapping[str, float]) -> None:
    """Draw horizontal lines to compare a curve with; `label_lines` names them."""
    for label, height in heights.items():
        named = f"{label} {height:.2f}"
        ax.axhline(height, color=GREY, linewidth=0.8, linestyle=":", label=named)


def label_lines(ax: Axes) -> None:
    """Write each line's label beside its right end, in its colour: no legend is needed.

    Call it last, since it depends on the limits of the axes.
    """
    lines = [line for line in ax.lines if not str(line.get_label()).startswith("_")]
    to_axes = ax.transScale + ax.transLimits
    ends = []
    for line in lines:
        end = ax.get_xlim()[1], np.asarray(line.get_ydata(orig=False))[-1]
        ends.append(float(to_axes.transform(end)[1]))
    step = 13 / (72 * ax.bbox.height / ax.figure.dpi)
    for line, height in zip(lines, _apart(ends, step), strict=True):
        ax.annotate(
            str(line.get_label()),
            (1, height),
            (5, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            color=line.get_color(),
            va="center",
        )


def _apart(heights: Sequence[float], step: float) -> list[float]:
    """Move heights as little as it takes to be a step apart, between 0 and 1."""
    order = sorted(range(len(heights)), key=lambda k: heights[k])
    moved = [min(max(heights[k], 0.0), 1.0) for k in order]
    for k in range(1, len(moved)):
        moved[k] = max(moved[k], moved[k - 1] + step)
    for k in reversed(range(len(moved))):
        highest = 1.0 if k == len(moved) - 1 else moved[k + 1] - step
        moved[k] = min(moved[k], highest)
    return [moved[order.index(k)] for k in range(len(heights))]


def legend(ax: Axes) -> None:
    """Explain the colours to the right of the axes, where no curve is."""
    ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1), borderaxespad=0)
