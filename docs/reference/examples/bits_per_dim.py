"""Shapes: `log_prob` is `(batch,)`; returns a scalar.

Raises: Nothing by itself.
"""

import torch

from implementations.core.digits import bits_per_dim

log_p = torch.zeros(10)  # a uniform density on [0, 1]^dim
bits = bits_per_dim(log_p, dim=3 * 32 * 32, levels=256)
assert torch.isclose(bits, torch.tensor(8.0))
