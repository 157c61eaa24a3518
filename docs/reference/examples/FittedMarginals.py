"""Shapes: `x` and `z` are `(batch, dim)`; both tables of knots are `(dim, 1025)`.

Source: the marginal Gaussianization of the paper; kernels are ours.
"""

import torch

from implementations.rbig import FittedMarginals, histogram_bins

x = torch.rand(2000, 3)
layer = FittedMarginals(3, estimate=histogram_bins)
layer.initialise(x)
z, log_det = layer(x)
assert z.shape == (2000, 3) and log_det.shape == (2000,)
assert z.std() > 0.9  # uniform before, Gaussian now
