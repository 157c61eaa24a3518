"""Shapes: `x` and `z` are `(batch, n, dim)`: where n particles are.

Source: the kernel flow, as in the authors' code
"""

import torch

from implementations.core.odes import FixedSteps
from implementations.equivariant import equivariant

flow = equivariant(4, 2, kernels=24, times=6, solve=FixedSteps(8))
x = flow.sample(100)
assert x.sum(1).abs().max() < 1e-5  # the centre is at 0
turn, order = torch.tensor([[0.0, -1.0], [1.0, 0.0]]), [2, 0, 3, 1]
same = flow.log_prob(x[:, order] @ turn.T + 3)
assert flow.log_prob(x).allclose(same, atol=1e-3)
