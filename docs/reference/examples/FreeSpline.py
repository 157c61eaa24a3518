"""Shapes: `params` is `(batch, …, 3 * bins + 1)`: widths, heights and slopes.

Source: the splines of heights, with the formulas of neural spline flows
"""

import torch

from implementations.tori_spheres import FreeSpline

g = FreeSpline(bins=8)
x = torch.linspace(-1, 1, 101)
z, log_slope = g(x, torch.randn(101, g.n_params))
assert z[[0, -1]].allclose(x[[0, -1]]) and log_slope[0] != 0
