"""Shapes: `x` and `z` are `(batch, dim)`, a context is `(batch, context)`.

Source: the flow for tables of numbers, five layers of 10 units for each variable; the
gate on the last layer is ours.
"""

import torch

from implementations.bnaf import bnaf

flow = bnaf(4)
x = torch.randn(100, 4)
assert flow.log_prob(x).shape == (100,)
assert flow.sample(10).shape == (10, 4)

toys = bnaf(2, layers=1, hidden=(50, 50))
published = bnaf(4, last=float("inf"))  # bounded: some noise has no data
