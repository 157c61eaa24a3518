"""Shapes: `x` and `z` are `(batch, dim)`; each cost is `(batch,)`.

Source: eq. 2 to 13.
"""

import torch

from implementations.ot_flow import costs, objective, ot_flow

flow = ot_flow(2)
x = torch.randn(100, 2)
assert flow.log_prob(x).shape == (100,)
assert all(each.shape == (100,) for each in costs(flow, x))
objective(flow, x).backward()
