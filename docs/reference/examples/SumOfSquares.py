"""Shapes: `params` is `(batch, …, squares * (degree + 1) + 1)`: c, and a row for each
square, the lowest power first.

Raises: `ValueError`, when there is no square, or `degree` is negative.

Source: §4
"""

import torch

from implementations.sos import SumOfSquares

g = SumOfSquares(squares=3, degree=2)  # of degree 5, from -4 to 4
x = torch.linspace(-3, 3, 100)
params = torch.randn(g.n_params).expand(100, -1)
z, log_slope = g(x, params)
assert (z.diff() > 0).all()
back, _ = g.inverse(z, params)
assert torch.allclose(back, x, atol=1e-4)
