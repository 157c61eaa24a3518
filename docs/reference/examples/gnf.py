"""Shapes: `x` and `z` are `(batch, nodes, features)`. If `sized`, the context is
`(batch, 1)`: how many nodes there are. The other rows of `x` are 0.

Source: §3.1, §3.2
"""

import torch

from implementations.gnf import gnf

flow = gnf(nodes=5, features=4, steps=2, width=16, sized=True)
n = torch.tensor([[5.0], [3.0]])  # nodes of two graphs
x = flow.sample(2, n)
assert x.shape == (2, 5, 4)
assert not x[1, 3:].any()
assert flow.log_prob(x, n).shape == (2,)
