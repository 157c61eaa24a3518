"""Shapes: `x`, `z` and log-slopes have one shape, `(batch, …)`; `params` has it, too,
and a last axis of `n_params`.
"""

from implementations.core.bijection import Univariate
from implementations.core.nets import mlp
from implementations.nice import Coupling


class Sinh(Univariate):
    """z = sinh(x) + t."""

    n_params = 1

    def forward(self, x, params):
        return x.sinh() + params.squeeze(-1), x.cosh().log()

    def inverse(self, z, params):
        x = (z - params.squeeze(-1)).asinh()
        return x, -x.cosh().log()


layer = Coupling(4, Sinh(), mlp)
assert layer.x_shape == (4,)
