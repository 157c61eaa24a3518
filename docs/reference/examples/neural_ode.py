"""Shapes: `x` and `z` are `(batch, dim)`.

Source: sections 4 and 4.1, eq. 8 to 10.
"""

import torch

from implementations.core.odes import Adaptive
from implementations.neural_ode import neural_ode

flow = neural_ode(2, solve=Adaptive(1e-6))
x = torch.randn(100, 2)
assert flow.log_prob(x).shape == (100,)
