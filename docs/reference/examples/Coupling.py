"""Shapes: `x` and `z` are `(batch, dim)`, a context is `(batch, context)`.
`conditioner(n_in, n_out)` returns a network from `(batch, n_in)` to `(batch,
n_out)`.

Raises: `ValueError` from both directions, as every `Bijection`.

Source: §3.2
"""

import torch

from implementations.core.bijection import Compose
from implementations.core.nets import mlp
from implementations.nice import Coupling
from implementations.nsf import Spline

f = Compose(
    Coupling(4, Spline(), mlp),
    Coupling(4, Spline(), mlp, swap=True),
)
z, log_det = f(torch.randn(10, 4))
assert z.shape == (10, 4)
assert log_det.shape == (10,)
