"""The effect of bfloat16 autocast on the log-density of every flow of ours.

After a short training, since at the identity everything is exact. Float32 is meant:
TF32 is off.
"""

from __future__ import annotations

from functools import cache
from math import prod
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu import words
from benchmarks.gpu.parts import Emit, Place
from benchmarks.ours import OUR_FLOWS, OurFlow
from implementations.core.digits import dequantise, digits
from implementations.core.fit import fit
from implementations.core.toy import eight_gaussians
from implementations.registrations import GRAPH, IMAGE

STEPS, BATCH, RATE, POINTS = 200, 256, 5e-3, 4096
SMOKE_POINTS = 16


def run(place: Place, emit: Emit) -> None:
    """Train each flow, and compare on fresh points."""
    torch.manual_seed(0)
    torch.backends.cudnn.allow_tf32 = False
    for own in OUR_FLOWS:
        with words.left_out_if_it_fails(own.name, emit):
            row = compared(own, place)
            emit(row)
            print(f"{own.name:22} {row['shift']:.2g} nats a dimension", flush=True)


def compared(own: OurFlow, place: Place) -> dict[str, Any]:
    """Train one flow, and compare its log-densities with and without autocast."""
    model = own.build().to(place.device)
    fit(
        model,
        lambda x: -model.log_prob(x).mean(),
        STEPS,
        lambda: points(own.shape, BATCH).to(place.device),
        lr=RATE,
    )
    x = points(own.shape, SMOKE_POINTS if place.smoke else POINTS).to(place.device)
    with torch.no_grad():
        exact = model.log_prob(x)
        with torch.autocast(place.device, torch.bfloat16):
            rounded = model.log_prob(x)
    dims = prod(own.shape)
    off = (rounded.double() - exact.double()) / dims
    if not off.isfinite().all():
        raise FloatingPointError("the log-density is not finite")
    sizes = {
        "shift": off.mean().abs(),
        "mean": off.abs().mean(),
        "worst": off.abs().max(),
    }
    return {
        "paper": own.paper,
        "name": own.name,
        "dims": dims,
        **{name: float(f"{size.item():.3g}") for name, size in sizes.items()},
    }


def points(shape: tuple[int, ...], n: int) -> Tensor:
    """Draw events of this shape: eight Gaussians, one a node, or digits."""
    if shape == IMAGE:
        images = _digits()
        return dequantise(images[torch.randint(len(images), (n,))]).view(n, *shape)
    nodes = GRAPH[0] if shape == GRAPH else 1
    return eight_gaussians().sample(n * nodes).view(n, *shape)


@cache
def _digits() -> Tensor:
    return digits()[0].images
