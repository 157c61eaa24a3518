"""Shapes: The network takes `(batch, n_in)` and returns `(batch, n_out)`.

Raises: `RuntimeError` from the network, when the width is another.
"""

import torch

from implementations.core.nets import mlp

m = mlp(3, 4, hidden=(64, 64))
out = m(torch.randn(10, 3))
assert out.shape == (10, 4)
assert not out.any()  # until it is trained
