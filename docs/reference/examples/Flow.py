"""Shapes: `x` is `(batch, *bijection.x_shape)`, a context is `(batch, context)`, a
log-density is `(batch,)`.
"""

import torch

from implementations.core.bijection import Compose
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import mlp
from implementations.nice import Coupling
from implementations.real_nvp import Affine

f = Compose(
    Coupling(2, Affine(), mlp),
    Coupling(2, Affine(), mlp, swap=True),
)
flow = Flow(StandardNormal((2,)), f)
x, log_p = flow.rsample_and_log_prob(100)
assert torch.allclose(flow.log_prob(x), log_p, atol=1e-4)
