"""The picture on the README: a Gaussian becomes two moons, layer by layer.

`python -m implementations.figures.flow FOLDER` trains NICE, about a minute on a CPU,
and writes `flow-light.png` and `flow-dark.png`.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from implementations.core.bijection import Bijection, Compose
from implementations.core.environment import seed
from implementations.core.fit import fit
from implementations.core.flow import Flow, StandardNormal
from implementations.core.plots import HEAT, png
from implementations.core.toy import TwoMoons
from implementations.nice import nice

INK = {"light": "#3c4257", "dark": "#d5d9e6"}
LAYERS, SHOWN = 8, (0, 3, 5, 7, 9)


def main(folder: Path) -> None:
    """Train the flow and write its picture, once for each theme."""
    flow = train()
    for theme, ink in INK.items():
        (folder / f"flow-{theme}.png").write_bytes(png(draw(flow, ink), dpi=150))


def train() -> Flow:
    """Fit NICE to the two moons."""
    seed()
    target = TwoMoons()
    flow = nice(2, layers=LAYERS, hidden=(128, 128), base=StandardNormal)
    fit(
        flow,
        lambda x: -flow.log_prob(x).mean(),
        5000,
        lambda: target.sample(512),
        lr=3e-3,
    )
    return flow


@torch.no_grad()
def draw(flow: Flow, ink: str) -> Figure:
    """Draw the density after each of the `SHOWN` numbers of generating layers."""
    fig = Figure((2.4 * len(SHOWN), 2.7))
    axes: list[Axes] = list(fig.subplots(1, len(SHOWN)))
    fig.subplots_adjust(0.005, 0.0, 0.995, 0.88, wspace=0.22)
    assert isinstance(flow.bijection, Compose)
    layers = [layer for layer in flow.bijection.layers if isinstance(layer, Bijection)]
    for ax, done in zip(axes, SHOWN, strict=True):
        draw_stage(ax, flow, layers[len(layers) - done :])
    for number, (right, left) in enumerate(pairwise(reversed(axes)), 1):
        draw_arrow(fig, left, right, f"$f_{number}^{{-1}}$", ink)
    axes[0].set_title("$p(z)$, the base", color=ink, fontsize=13)
    axes[-1].set_title("$p(x)$, the data", color=ink, fontsize=13)
    return fig


def draw_stage(ax: Axes, flow: Flow, undone: list[Bijection], n: int = 360) -> None:
    """Draw the exact density of noise that the inverses of `undone` have moved."""
    stage = Flow(flow.base, Compose(*undone)) if undone else flow.base
    low, high = limits(stage.sample(20_000))
    x, y = (torch.linspace(a, b, n) for a, b in zip(low, high, strict=True))
    points = torch.cartesian_prod(x, y)
    ax.imshow(
        stage.log_prob(points).exp().reshape(n, n).T,
        cmap=HEAT,
        origin="lower",
        interpolation="nearest",  # a blend has more colours than a palette
    )
    ax.axis("off")


def limits(x: Tensor) -> tuple[list[float], list[float]]:
    """Corners of a square that holds nearly all of the points."""
    centre = (x.quantile(0.002, 0) + x.quantile(0.998, 0)) / 2
    reach = 1.3 * (x - centre).abs().quantile(0.998)
    return (centre - reach).tolist(), (centre + reach).tolist()


def draw_arrow(fig: Figure, left: Axes, right: Axes, label: str, ink: str) -> None:
    """Draw an arrow in the gap between two panels."""
    a, b = left.get_position(), right.get_position()
    middle, y = (a.x1 + b.x0) / 2, (a.y0 + a.y1) / 2
    half = 0.42 * (b.x0 - a.x1)
    left.annotate(
        "",
        xytext=(middle - half, y),
        xy=(middle + half, y),
        xycoords="figure fraction",
        arrowprops={"arrowstyle": "-|>", "color": ink, "linewidth": 1.2},
        annotation_clip=False,
    )
    fig.text(middle, y + 0.06, label, ha="center", color=ink, fontsize=13)


# %%
if __name__ == "__main__":
    main(Path(sys.argv[1]))
