"""Shapes: `x` and `z` are `(batch, dim)`.

Source: section 2, eq. 1 and 2, algorithm 1.
"""

import torch

from implementations.neural_ode import Continuous
from implementations.rectified_flow import OrderedPairs, rectified_flow, rectify

flow = rectified_flow(2)
assert isinstance(flow.bijection, Continuous)


def draw() -> OrderedPairs:
    return OrderedPairs(torch.randn(64, 2), 3 + torch.randn(64, 2))


rectify(flow.bijection.g, draw, steps=2)
assert flow.sample(100).shape == (100, 2)
