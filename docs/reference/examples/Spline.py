"""Shapes: `params` is `(batch, …, 3 * bins - 1)`: widths, heights and inner slopes.

Source: §3.1
"""

import torch

from implementations.nsf import Spline

g = Spline(bins=8, bound=3.0)
x = torch.linspace(-4, 4, 101)
params = torch.randn(101, g.n_params)
z, log_slope = g(x, params)
outside = x.abs() > 3
assert torch.equal(z[outside], x[outside])
assert not log_slope[outside].any()
