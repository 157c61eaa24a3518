"""The logo in pixels, for tabs and home screens that take no SVG.

`python -m implementations.figures.icons FOLDER` draws docs/assets/logo.svg into
`icon-32.png`, transparent, and `icon-180.png`, on paper and with a margin.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

LOGO = Path("docs/assets/logo.svg")
UNITS, WIDTH, FINER = 24, 2, 8


def main(folder: Path) -> None:
    """Write the icons."""
    svg = LOGO.read_text("utf-8")
    draw(svg, 32).save(folder / "icon-32.png", optimize=True)
    paper = Image.new("RGB", (180, 180), "#ffffff")
    logo = draw(svg, 132)
    paper.paste(logo, (24, 24), logo)
    paper.save(folder / "icon-180.png", optimize=True)


def draw(svg: str, size: int) -> Image.Image:
    """Draw the logo's curves as dots, each in the colour of its place."""
    image = Image.new("RGBA", (size * FINER, size * FINER))
    pen, scale = ImageDraw.Draw(image), size * FINER / UNITS
    left, right = (_rgb(colour) for colour in re.findall(r'stop-color="#(\w{6})"', svg))
    first, last = (float(x) for x in re.findall(r'\bx[12]="([\d.]+)"', svg))
    for x, y in np.concatenate([*map(_points, re.findall(r' d="M([^"]+)"', svg))]):
        part = np.clip((x - first) / (last - first), 0, 1)
        colour = tuple(int(value) for value in (1 - part) * left + part * right)
        r = WIDTH / 2
        box = [(x - r) * scale, (y - r) * scale, (x + r) * scale, (y + r) * scale]
        pen.ellipse(box, colour)
    return image.resize((size, size), Image.Resampling.LANCZOS)


def _points(path: str) -> np.ndarray:
    """Return points along a cubic Bézier curve, given as `x yCx y x y x y`."""
    ends = np.array(re.split(r"[ C]", path), float).reshape(4, 2)
    t = np.linspace(0, 1, 600)[:, None]
    weights = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3]
    return np.sum([w * end for w, end in zip(weights, ends, strict=True)], axis=0)


def _rgb(colour: str) -> np.ndarray:
    return np.array([*bytes.fromhex(colour)])


# %%
if __name__ == "__main__":
    main(Path(sys.argv[1]))
