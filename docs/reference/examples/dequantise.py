"""Shapes: Images `(batch, …)` in, `(draws * batch, …)` out.

Raises: Nothing by itself.
"""

import torch

from implementations.core.digits import dequantise

pixels = torch.randint(256, (10, 3, 32, 32)).float()
x = dequantise(pixels, levels=256)
assert 0 <= x.min() and x.max() <= 1
assert (x * 256 - pixels).max() <= 1  # each within its level
