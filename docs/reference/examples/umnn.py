"""Shapes: `x` and `z` are `(batch, dim)`, a context is `(batch, context)`.

Raises: `ValueError`, when `nodes` is not even.

Source: eq. 1, UMNN-MAF
"""

import torch

from implementations.umnn import umnn

flow = umnn(2, layers=2, hidden=(64, 64), integrand=(32, 32))
x = torch.randn(100, 2)
assert flow.log_prob(x).shape == (100,)
assert flow.sample(5).shape == (5, 2)
