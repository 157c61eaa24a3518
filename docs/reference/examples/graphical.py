"""Shapes: `x` and `z` are `(batch, dim)`; `parents` has a row for each variable.

Source: the graphical conditioner of the paper.
"""

import torch

from implementations.graphical import graphical

parents = [(), (0,), (0,), (1, 2)]  # x_3 depends on x_1 and x_2
flow = graphical(parents)
x = torch.randn(100, 4)
assert flow.log_prob(x).shape == (100,)
assert flow.sample(10).shape == (10, 4)
