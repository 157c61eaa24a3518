"""Shapes: points are `(n, dim)`; a log-density of them has shape `(n,)`.

Source: the flow, AIS and buffer of the authors' code, for many wells
"""

import torch

from implementations.fab import Replay, anneal, fab

flow = fab(2, layers=2, hidden=(16, 16))


def log_density(x: torch.Tensor) -> torch.Tensor:
    return -(x - 1).square().sum(1)  # no constant needed


replay = Replay(room=1000)
replay.add(anneal(flow, log_density, 100, sizes=(0.5, 0.5)))  # points of p²/q
loss = replay.loss(flow, 50)  # and of likelihood on them
loss.backward()
assert replay.x.shape == (100, 2) and loss.isfinite()
