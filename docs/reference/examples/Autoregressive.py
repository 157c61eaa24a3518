"""Shapes: `x` and `z` are `(batch, dim)`, a context is `(batch, context)`.

Raises: `ValueError`, when `order` is no permutation of the components; from both
directions, as every `Bijection`.

Source: §4
"""

import torch

from implementations.made import Autoregressive
from implementations.nsf import Spline

layer = Autoregressive(3, Spline(), order=[2, 0, 1])
x = torch.randn(10, 3)
z, log_det = layer(x)  # one pass
back, _ = layer.inverse(z)  # three steps
assert torch.allclose(back, x, atol=1e-4)
