"""Shapes: `x` and `z` are `(batch, dim)`; the first batch has a row for each anchor.

Source: the kernel layer of the paper.
"""

import torch

from implementations.gaussianization import KernelLayer

layer = KernelLayer(2, anchors=20)
x = torch.randn(1000, 2) * torch.tensor([100, 0.01])
layer.initialise(x)  # anchors and units come from the data
z, log_det = layer(x)
assert z.shape == x.shape and log_det.shape == (1000,)
assert (z.std(0) - 1).abs().max() < 0.5
