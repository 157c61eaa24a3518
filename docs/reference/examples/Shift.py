"""Shapes: `params` is `(batch, …, 1)`: t.

Source: §3.2
"""

import torch

from implementations.nice import Shift

g = Shift()
x, params = torch.randn(10, 3), torch.ones(10, 3, 1)
z, log_slope = g(x, params)
assert torch.equal(z, x + 1)
assert not log_slope.any()
