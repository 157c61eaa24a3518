"""Shapes: `x` and `z` are `(batch, dim)`.

Source: section 3 and appendix B, eq. 7 and 8.
"""

import torch

from implementations.core.odes import Adaptive
from implementations.ffjord import ffjord

flow = ffjord(16, hidden=(64, 64), trace="signs", solve=Adaptive(1e-5))
x = torch.randn(100, 16)
noisy = flow.train().log_prob(x)
exact = flow.eval().log_prob(x)
assert noisy.shape == exact.shape == (100,)
