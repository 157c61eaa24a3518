"""Shapes: `params` is `(batch, …, 2)`: m and s - 2.

Source: §4
"""

import torch

from implementations.iaf import Gated

g = Gated()
x, params = torch.randn(10, 3), torch.randn(10, 3, 2)
z, log_slope = g(x, params)
back, _ = g.inverse(z, params)
assert torch.allclose(back, x, atol=1e-4)
assert log_slope.max() < 0  # it only contracts
