"""Shapes: `x` and `z` are `(batch, dim)`; the matrix `r` is `(dim, dim)`.

Source: the rotation of each iteration of the paper.
"""

import torch

from implementations.rbig import FittedRotation, pca

x = torch.randn(500, 2) @ torch.tensor([[1.0, 0.9], [0.0, 0.3]])
layer = FittedRotation(2, choose=pca)
layer.initialise(x)
z, log_det = layer(x)
assert z.T.cov()[0, 1].abs() < 1e-5 and not log_det.any()
