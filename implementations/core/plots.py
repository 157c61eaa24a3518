"""Figures: one look, transparent, legible on light and on dark pages."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import torch
from cycler import cycler
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from implementations.core.environment import device

# Mid tones, with a contrast of 3 and more on white and on a dark page alike.
GREY, BLUE, ORANGE, GREEN = "#808080", "#3f86d6", "#d9722b", "#3a9a5b"
INK = LinearSegmentedColormap.from_list("ink", [(0.5, 0.5, 0.5, 0.0), "#808080"])
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

Box = tuple[float, float, float, float]


def figure(
    columns: int = 1, rows: int = 1, width: float = 7.0, height: float = 2.6
) -> tuple[Figure, list[Axes]]:
    """Return a figure in the shared look and its axes, row by row."""
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
    if "ipykernel" in sys.modules:
        from IPython.display import publish_display_data

        publish_display_data({"image/png": data}, {"image/png": {"alt": alt}})


def png(fig: Figure, dpi: int = 130) -> bytes:
    """Return the figure as a PNG of 256 colours; the same figure, the same bytes."""
    drawn, packed = io.BytesIO(), io.BytesIO()
    fig.savefig(drawn, format="png", dpi=dpi, transparent=True)
    with Image.open(drawn) as image:
        few = image.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(packed, format="png", optimize=True)
    return packed.getvalue()


def density(
    ax: Axes, log_prob: Callable[[Tensor], Tensor], box: Box, title: str, n: int = 160
) -> None:
    """Draw exp(log_prob) over the box (x₁ from, to, x₂ from, to) as a heat map."""
    x = torch.linspace(box[0], box[1], n, device=device())
    y = torch.linspace(box[2], box[3], n, device=device())
    points = torch.cartesian_prod(x, y)
    with torch.no_grad():
        p = log_prob(points).exp().reshape(n, n).T.cpu().numpy()
    ax.imshow(p, cmap=HEAT, extent=box, origin="lower", aspect="auto", vmin=0)
    ax.set_title(title)


def scatter(ax: Axes, x: Tensor, title: str) -> None:
    """Draw points of shape (n, 2)."""
    ax.plot(*x.detach().cpu().T.numpy(), ".", markersize=1.5, alpha=0.6)
    ax.set_title(title)
