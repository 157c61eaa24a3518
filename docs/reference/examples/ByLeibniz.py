"""Shapes: Those of `MonotonicNetwork`.

Source: eq. 1 to 3
"""

import torch

from implementations.umnn import ByLeibniz

g = ByLeibniz(embedding=0, hidden=(32, 32), nodes=100).double()
x = torch.linspace(-3, 3, 101).double().requires_grad_()
z, log_slope = g(x, torch.zeros(101, 1).double())
(slope,) = torch.autograd.grad(z.sum(), x)
assert (log_slope - slope.log()).abs().max() < 1e-9  # with many nodes
