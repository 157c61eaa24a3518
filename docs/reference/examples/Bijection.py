"""Shapes: `x` is `(batch, *x_shape)`, `z` is `(batch, *z_shape)`, a context is `(batch,
context)`, log-determinants are `(batch,)`.
"""

import math

import torch

from implementations.core.bijection import Bijection


class Turn(Bijection):
    """z = x R, a rotation of the plane by an angle."""

    R: torch.Tensor

    def __init__(self, angle):
        super().__init__((2,))
        c, s = math.cos(angle), math.sin(angle)
        self.register_buffer("R", torch.tensor([[c, s], [-s, c]]))

    def forward(self, x, context=None):
        return x @ self.R, x.new_zeros(x.shape[0])

    def inverse(self, z, context=None):
        return z @ self.R.T, z.new_zeros(z.shape[0])


z, _ = Turn(math.pi / 2)(torch.tensor([[1.0, 0.0]]))
assert torch.allclose(z, torch.tensor([[0.0, 1.0]]), atol=1e-6)
