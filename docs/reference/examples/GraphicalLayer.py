"""Shapes: `x` and `z` are `(batch, dim)`; `parents` has a row for each variable.

Source: the graphical conditioner of the paper.
"""

import torch

from implementations.graphical import GraphicalLayer
from implementations.real_nvp import Affine

layer = GraphicalLayer([(), (0,), (0,), (1, 2)], Affine())
x = torch.randn(100, 4)
z, log_det = layer(x)
assert z.shape == x.shape and log_det.shape == (100,)
assert layer.passes == 3  # of the inverse: the longest path has two arrows
