"""Shapes: `x` is `(batch, channels, height, width)`. Where there are several scales,
`z` is a vector of as many numbers.

Raises: `ValueError`, when height or width are odd where they are to be halved.

Source: §3.6, §4.1
"""

import torch

from implementations.real_nvp import real_nvp

flow = real_nvp((1, 8, 8), maps=4, blocks=1)
images = torch.randn(16, 1, 8, 8)
flow.initialise(images)  # the first means and variances
z, log_det = flow.eval().bijection(images)
assert z.shape == (16, 64)
assert log_det.shape == (16,)
