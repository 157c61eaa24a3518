"""Shapes: data `x1` and noise `x0` are `(batch, dim)`, times are `(batch, 1)`.

Source: sections 3 and 4, eq. 8 to 23.
"""

import torch

from implementations.flow_matching import Straight, flow_matching, matching_loss
from implementations.neural_ode import Continuous

flow, x1 = flow_matching(2), torch.randn(100, 2)
f = flow.bijection
assert isinstance(f, Continuous)
loss = matching_loss(f.g, x1, Straight())
assert loss.shape == () and flow.log_prob(x1).shape == (100,)
