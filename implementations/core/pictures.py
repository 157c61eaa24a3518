"""Figures as they are published: small PNGs, with all that a page must know of them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from implementations.core.environment import in_notebook

DPI = 130
# Pixels of a page per inch of a figure: 10 points are then 14 pixels high.
SHOWN = 100
# A thumbnail's bytes, for a gallery shows dozens; its pixels a side, and its colours.
LIGHT, SIDE, COLOURS = 12_000, 320, 64


def show(fig: Figure, alt: str) -> None:
    """Publish the figure as a PNG with its alternative text; outside a kernel, nothing.

    A page may show the columns of its panels below each other: it is told where they
    part.

    Raises:
        ValueError: when `alt` is empty.
    """
    data, about = png(fig), _described(alt)
    width, height = (round(SHOWN * inches) for inches in fig.get_size_inches())
    about |= {"width": width, "height": height, "cuts": cuts(fig)}
    _publish(data, about)


def thumbnail(fig: Figure, alt: str) -> None:
    """Publish the picture by which the site shows this paper; its page leaves it out.

    Of a figure of `plots.square`, in 64 colours.

    Raises:
        ValueError: when `alt` is empty, or the picture has more than 12 kB.
    """
    about = _described(alt) | {"thumbnail": True}
    data = png(fig, SIDE / fig.get_figwidth(), most=COLOURS)
    if len(data) > LIGHT:
        raise ValueError(
            f"thumbnail: expected at most {LIGHT} bytes, got {len(data)} "
            "(draw fewer points, or less shading)"
        )
    _publish(data, about)


def _described(alt: str) -> dict[str, Any]:
    if not alt.strip():
        raise ValueError("show: expected a text that stands for the figure, got none")
    return {"alt": alt}


def _publish(data: bytes, about: dict[str, Any]) -> None:
    if in_notebook():
        from IPython.display import publish_display_data

        publish_display_data({"image/png": data}, {"image/png": about})


def png(fig: Figure, dpi: float = DPI, most: int = 256) -> bytes:
    """Return the figure as a PNG of `most` colours: the same figure, the same bytes."""
    drawn, packed = io.BytesIO(), io.BytesIO()
    fig.savefig(drawn, format="png", dpi=dpi, transparent=True)
    page = np.asarray(Image.open(drawn).convert("RGBA"))
    pixels = page.view(np.uint32).ravel()
    found, which, counts = np.unique(pixels, return_inverse=True, return_counts=True)
    colours = found.view(np.uint8).reshape(-1, 4)
    # The rare ones are edges of letters and lines, and turn into what is nearest.
    palette = colours[np.argsort(-counts, kind="stable")[:most]]
    steps = colours[:, None].astype(int) - palette.astype(int)
    indices = np.square(steps).sum(-1).argmin(-1).astype(np.uint8)[which]
    image = Image.fromarray(indices.reshape(page.shape[:2]))
    image.putpalette(palette.tobytes(), "RGBA")
    image.save(packed, format="png", optimize=True)
    return packed.getvalue()


def cuts(fig: Figure) -> list[float]:
    """Where columns of panels part, as fractions of the width; none for one column.

    None either where words stand over several columns.
    """
    if fig.texts or fig.legends:
        return []
    fig.draw_without_rendering()
    boxes = [box for ax in fig.axes if ax.get_visible() and (box := ax.get_tightbbox())]
    spans = sorted((box.x0, box.x1) for box in boxes if box.width > 0)
    found, reached = [], spans[0][1] if spans else 0.0
    for left, right in spans[1:]:
        if left > reached - 1:
            found.append(round(float((reached + left) / 2 / fig.bbox.width), 4))
        reached = max(reached, right)
    return found
