"""Shapes: `x` is `(batch, channels, height, width)`, a context is `(batch, context)`.
With more than one level, `z` is a vector of as many numbers.

Raises: `ValueError`, when height or width are no multiples of 2 to the power of
`levels`.

Source: §3
"""

import torch

from implementations.core.digits import bits_per_dim, dequantise
from implementations.glow import glow

pixels = torch.randint(256, (8, 3, 8, 8)).float()
x = dequantise(pixels, levels=256)
flow = glow((3, 8, 8), levels=2, steps=2, width=16)
flow.initialise(x)  # actnorm
bits = bits_per_dim(flow.log_prob(x), 3 * 8 * 8, 256)
assert bits.isfinite()
assert flow.sample(4).shape == (4, 3, 8, 8)
