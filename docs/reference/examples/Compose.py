"""Shapes: From the first layer's `x_shape` to the last one's `z_shape`."""

import torch

from implementations.core.bijection import Compose
from implementations.nice import Scaling
from implementations.nsf import Linear

f = Compose(Scaling(3), Linear(3), Scaling(3))
z, log_det = f(torch.randn(10, 3))
assert z.shape == (10, 3)
assert log_det.shape == (10,)
