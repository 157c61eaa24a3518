"""Shapes: `x` and `z` are `(batch, dim)`.

Source: sections 3.1 and 3.2, eq. 14 to 17.
"""

import torch

from implementations.core.matching import squared_misses
from implementations.ot_cfm import Tube, optimal, ot_cfm, velocity

flow = ot_cfm(2)
x0, x1 = optimal(flow.base.sample(100), torch.randn(100, 2))
assert squared_misses(velocity(flow), x0, x1, Tube()).shape == (100,)
assert flow.log_prob(x1).shape == (100,)
