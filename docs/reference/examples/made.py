"""Shapes: `x` is `(batch, dim)`, a context is `(batch, context)`, a log-probability is
`(batch,)`.

Raises: `ValueError` from `log_prob` and `sample`, when `x`, the number or the context
do not fit.

Source: §4
"""

import torch

from implementations.made import made

model = made(8, hidden=(100,), masks=4)
bit = torch.tensor([0.0, 1.0])
states = torch.cartesian_prod(*[bit] * 8)  # all 256
total = model.log_prob(states).exp().sum()
assert torch.isclose(total, torch.tensor(1.0))
assert model.sample(5).shape == (5, 8)
