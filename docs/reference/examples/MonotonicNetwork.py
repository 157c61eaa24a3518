"""Shapes: `params` is `(batch, …, embedding + 1)`: β first, then what steers f.

Raises: `ValueError`, when `nodes` is not even.

Source: eq. 1; the slope is that of the sum
"""

import torch

from implementations.umnn import MonotonicNetwork

g = MonotonicNetwork(embedding=4, hidden=(32, 32), nodes=20).double()
x = torch.linspace(-3, 3, 101).double()
params = torch.zeros(101, g.n_params).double()  # one map for all
z, log_slope = g(x, params)
assert (z.diff() > 0).all()
assert (g.inverse(z, params)[0] - x).abs().max() < 1e-9
