"""Shapes: `params` is `(batch, …, 2 * bins + 1)`: logits of widths, then logarithms of
heights at the knots.

Source: the piecewise quadratic coupling; the form of its inverse is ours
"""

import torch

from implementations.nis import PiecewiseQuadratic

g = PiecewiseQuadratic(bins=4)
x, params = torch.rand(100), torch.zeros(100, g.n_params)
z, log_slope = g(x, params)
assert torch.allclose(z, x, atol=1e-5)
back, negated = g.inverse(z, params)
assert torch.allclose(back, x, atol=1e-5)
