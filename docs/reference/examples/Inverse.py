"""Shapes: Those of `bijection`, x and z exchanged.

Raises: `ValueError` from both directions, as every `Bijection`.
"""

import torch

from implementations.core.bijection import Inverse
from implementations.nsf import Linear

f = Linear(3)
x = torch.randn(10, 3)
assert torch.equal(Inverse(f)(x)[0], f.inverse(x)[0])
