"""The moving picture on the home page: a Gaussian becomes a swirl, layer by layer.

`python -m implementations.figures.journey FOLDER` trains the toy's coupling layers with
splines, two minutes on a CPU, and writes `journey.json`, the way of each point, which
docs/assets/journey.js draws, and `journey.png`, three stages of it at rest.

Between two layers points move in straight lines. Such a blend of nothing and a whole
coupling is a coupling too: every moment of the picture is the density of a flow.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from matplotlib.colors import LinearSegmentedColormap
from torch import Tensor

from implementations.core.environment import seed
from implementations.core.flow import Flow
from implementations.core.plots import BLUE, ORANGE, figure, png
from implementations.figures.toy import REACH, SPLINES, layers_of, trained

POINTS = 2000
# The square that is shown has so many steps from side to side.
LEVELS = 1023


def main(folder: Path) -> None:
    """Train the flow, and write both files."""
    draw(trained("swirl", "spline"), folder)


def draw(flow: Flow, folder: Path) -> None:
    """Write both files: what the flow makes of the same noise each time."""
    seed()
    stages = journey(flow, POINTS)
    (folder / "journey.json").write_text(encode(stages) + "\n", "ascii")
    (folder / "journey.png").write_bytes(still(stages[[0, SPLINES // 3, SPLINES]]))


@torch.no_grad()
def journey(flow: Flow, n: int) -> Tensor:
    """Return n points in each stage, noise first, of shape (layers + 1, n, 2).

    The most likely ones of the base come last, so that they are drawn on top.
    """
    noise = flow.base.sample(n)
    stages = [noise[flow.base.log_prob(noise).argsort()]]
    for layer in reversed(layers_of(flow)):
        stages.append(layer.inverse(stages[-1])[0])
    return torch.stack(stages)


def encode(stages: Tensor) -> str:
    """Write where points start and by how much each layer moves them, in steps.

    The first axis points to the right, the second one down, as on a screen.
    """
    screen = stages * torch.tensor([1.0, -1.0])
    steps = ((screen / REACH + 1) / 2 * LEVELS).round().int()
    moves = steps.diff(dim=0)
    axes = moves.abs().sum(1).argmax(1)
    return json.dumps(
        {
            "levels": LEVELS,
            "start": steps[0].T.tolist(),
            "layers": [
                {"axis": axis, "moves": move[:, axis].tolist()}
                for axis, move in zip(axes.tolist(), moves, strict=True)
            ],
        },
        separators=(",", ":"),
    )


def still(stages: Tensor) -> bytes:
    """Draw the stages beside each other."""
    fig, axes = figure(columns=len(stages), width=7.0, height=2.4)
    colours = LinearSegmentedColormap.from_list("likely", [BLUE, ORANGE])
    rank = torch.linspace(0, 1, stages.shape[1])
    for ax, points in zip(axes, stages, strict=True):
        ax.scatter(*points.T, c=rank, s=3, cmap=colours, linewidths=0)
        ax.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal")
        ax.axis("off")
    return png(fig)


# %%
if __name__ == "__main__":
    main(Path(sys.argv[1]))
