"""Shapes: `x` and `z` are `(batch, dim)`, a context is `(batch, context)`.

Raises: `ValueError`, when `bins` is not from 1 to 999.

Source: §3.1, §3.2
"""

import torch

from implementations.nsf import nsf_autoregressive

flow = nsf_autoregressive(2, bins=8, context=1).double()
angles = torch.linspace(0, 1, 50).double()[:, None]
x = flow.sample(50, angles)  # p(x | angle)
assert x.shape == (50, 2)
assert flow.log_prob(x, angles).dtype == torch.float64
