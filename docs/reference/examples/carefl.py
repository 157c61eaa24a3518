"""Shapes: `x` and `z` are `(batch, dim)`; `order` has `dim` numbers, causes first.

Source: the causal autoregressive flow of eq. 12's experiments.
"""

import torch

from implementations.carefl import carefl, counterfactual, do

flow = carefl(4, order=(1, 0, 2, 3))
x = torch.randn(100, 4)
assert flow.log_prob(x).shape == (100,)
assert counterfactual(flow, x, i=2, a=1.0).shape == (100, 4)
assert do(flow, 50, i=2, a=1.0).shape == (50, 4)
