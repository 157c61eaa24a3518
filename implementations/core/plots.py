"""Figures: one look, transparent, legible on light and on dark pages."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import numpy as np
import torch
from cycler import cycler
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from implementations.core.environment import device, in_notebook
from implementations.core.toy import Box

# Mid tones, with a contrast of 3 and more on white and on a dark page alike.
GREY, BLUE, ORANGE, GREEN = "#808080", "#3f86d6", "#d9722b", "#3a9a5b"
INK = LinearSegmentedColormap.from_list("ink", [(0.25, 0.53, 0.84, 0.0), BLUE])
HEAT = LinearSegmentedColormap.from_list(
    "heat", [(0.25, 0.53, 0.84, 0.0), (0.25, 0.53, 0.84, 0.75), "#8a63d2", "#e8743b"]
)
COLOURED = ("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor")
STYLE = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, GREY]),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    **dict.fromkeys((*COLOURED, "xtick.color", "ytick.color"), GREY),
}


def figure(
    columns: int = 1, rows: int = 1, width: float = 7.0, height: float = 2.6
) -> tuple[Figure, list[Axes]]:
    """Return a figure in the shared look, sizes in inches, and its axes row by row."""
    style.use(STYLE)
    # Not pyplot's: such a figure belongs to nobody, so no kernel shows it twice.
    fig = Figure((width, height), layout="constrained")
    return fig, list(fig.subplots(rows, columns, squeeze=False).flat)


def show(fig: Figure, alt: str) -> None:
    """Publish the figure as a PNG with its alternative text; outside a kernel, nothing.

    Raises:
        ValueError: when `alt` is empty.
    """
    if not alt.strip():
        raise ValueError("show: expected a text that stands for the figure, got none")
    data = png(fig)
    if in_notebook():
        from IPython.display import publish_display_data

        publish_display_data({"image/png": data}, {"image/png": {"alt": alt}})


def png(fig: Figure, dpi: int = 130) -> bytes:
    """Return the figure as a PNG of 256 colours: the same figure, the same bytes."""
    drawn, packed = io.BytesIO(), io.BytesIO()
    fig.savefig(drawn, format="rgba", dpi=dpi, transparent=True)
    pixels = np.frombuffer(drawn.getvalue(), np.uint32)
    found, which, counts = np.unique(pixels, return_inverse=True, return_counts=True)
    colours = found.view(np.uint8).reshape(-1, 4)
    # The rare ones are edges of letters and lines, and turn into what is nearest.
    palette = colours[np.argsort(-counts, kind="stable")[:256]]
    steps = colours[:, None].astype(int) - palette.astype(int)
    indices = np.square(steps).sum(-1).argmin(-1).astype(np.uint8)[which]
    width = int(fig.get_figwidth() * dpi)
    image = Image.fromarray(indices.reshape(-1, width))
    image.putpalette(palette.tobytes(), "RGBA")
    image.save(packed, format="png", optimize=True)
    return packed.getvalue()


@torch.no_grad()
def density(
    ax: Axes, log_prob: Callable[[Tensor], Tensor], box: Box, title: str, n: int = 160
) -> None:
    """Draw exp(log_prob) over the box (x₁ from, to, x₂ from, to) as a heat map."""
    x = torch.linspace(box[0], box[1], n, device=device())
    y = torch.linspace(box[2], box[3], n, device=device())
    p = log_prob(torch.cartesian_prod(x, y)).exp().reshape(n, n).T
    # Smoothing makes thousands of colours of a few hundred, and files twice as large.
    look = {"cmap": HEAT, "aspect": "auto", "interpolation": "nearest"}
    ax.imshow(p.cpu().numpy(), extent=box, origin="lower", **look)
    ax.set_title(title)
    ax.axis("off")


def scatter(ax: Axes, x: Tensor, box: Box, title: str) -> None:
    """Draw points of shape (n, 2)."""
    ax.plot(*x.T.cpu().numpy(), ".", color=BLUE, markersize=2, alpha=0.5)
    ax.set(xlim=box[:2], ylim=box[2:], title=title)
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


def warp(ax: Axes, lines: Tensor, title: str) -> None:
    """Draw what has become of `grid_lines`: upright ones blue, level ones orange."""
    half = len(lines) // 2
    colours = [BLUE] * half + [ORANGE] * half
    ax.add_collection(
        LineCollection(list(lines.cpu().numpy()), colors=colours, linewidths=0.8)
    )
    ax.autoscale()
    ax.set_aspect("equal", adjustable="datalim")
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
    """Draw labelled horizontal lines, to compare a curve with."""
    for label, height in heights.items():
        ax.axhline(height, color=GREY, linewidth=0.8, linestyle=":")
        ax.annotate(
            f"{label} {height:.2f}",
            (1, height),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
        )
