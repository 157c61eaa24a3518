"""Shapes: `params` is `(batch, …, 2)`: s and t.

Source: the authors' code
"""

import torch

from implementations.glow import Gate

g = Gate()
x, params = torch.randn(10, 3), torch.randn(10, 3, 2)
z, log_slope = g(x, params)
back, _ = g.inverse(z, params)
assert torch.allclose(back, x, atol=1e-4)
assert log_slope.max() < 0  # it only contracts
