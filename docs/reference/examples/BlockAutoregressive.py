"""Shapes: `x` and `z` are `(batch, dim)`, a context is `(batch, context)`.

Source: the network of block matrices and its gate; the gate on a last layer is ours.
"""

import torch

from implementations.bnaf import BlockAutoregressive

layer = BlockAutoregressive(3, hidden=(16, 16), gate=3.0)
x = torch.randn(10, 3)
z, log_det = layer(x)  # one pass
back, _ = layer.inverse(z)  # one variable after another, by root finding
assert torch.allclose(back, x, atol=1e-3)
