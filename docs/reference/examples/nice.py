"""Shapes: `x` and `z` are `(batch, dim)`, a context is `(batch, context)`.

Source: §5.1
"""

import torch

from implementations.nice import nice

flow = nice(2, hidden=(64, 64))
x = torch.randn(1000, 2)
log_p = flow.log_prob(x)  # in nats
assert log_p.shape == (1000,)
assert flow.sample(5).shape == (5, 2)
