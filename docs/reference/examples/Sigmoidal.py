"""Shapes: `params` is `(batch, …, 3 * units)`: of slopes, offsets and weights.

Raises: `ValueError`, when there is no unit, or `slope` is not positive.

Source: the deep sigmoidal flow of the paper.
"""

import torch

from implementations.naf import Sigmoidal

g = Sigmoidal(units=16)
x = torch.linspace(-4, 4, 101).double()
params = torch.randn(101, g.n_params).double()
z, log_slope = g(x, params)
back, _ = g.inverse(z, params)
assert torch.allclose(back, x, atol=1e-6)
