"""Shapes: `params` is `(batch, …, 2)`: ŝ and t.

Source: §3.2, §4.1
"""

import torch

from implementations.real_nvp import Affine

g = Affine()
x, params = torch.randn(10, 3), torch.randn(10, 3, 2)
z, log_slope = g(x, params)
back, _ = g.inverse(z, params)
assert torch.allclose(back, x, atol=1e-5)
assert log_slope.abs().max() <= 1  # a is 1 at first
