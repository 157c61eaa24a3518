"""Shapes: `x` and `z` are `(batch, channels, height, width)`, with even sides.

Source: section 7, figure 13
"""

import torch

from implementations.ood import checkers, ood

images = torch.rand(16, 1, 8, 8)
for flow in (ood((1, 8, 8)), ood((1, 8, 8), masks=checkers)):
    flow.initialise(images)  # the first mean and deviation
    z, log_det = flow.bijection(images)
    assert z.shape == images.shape
    assert log_det.shape == (16,)
