"""Shapes: `x` and `z` are `(batch, dim)`; all data are one batch, and fit it at once.

Source: the iteration of the paper, with its three kinds of rotations.
"""

import torch

from implementations.rbig import climb, ica, rbig

x = torch.randn(2000, 2)
x[:, 1] += x[:, 0].square()
flow = rbig(2, layers=5, choose=ica)
flow.initialise(x)  # this is all of the fit
path = climb(flow, x)  # mean log-likelihood after 0 … 5 layers
assert path.shape == (6,) and path[5] > path[1] > path[0]
assert flow.sample(100).shape == (100, 2)
