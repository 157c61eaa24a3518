"""Shapes: `x` and `z` are `(batch, dim)`.

Source: the trainable rotation of the paper.
"""

import torch

from implementations.gaussianization import Reflections

turn = Reflections(3)
x = torch.randn(100, 3)
z, log_det = turn(x)
assert torch.allclose(z.norm(dim=1), x.norm(dim=1), atol=1e-5)
assert not log_det.any()
