"""Shapes: `x` is `(batch, dim)`; the first batch has a row for each anchor.

Source: the model for tables of the paper, as in the authors' script.
"""

import torch

from implementations.gaussianization import gaussianization

x = torch.randn(500, 2).exp()  # in any units
flow = gaussianization(2, layers=3, anchors=20)
flow.initialise(x)  # as iterative Gaussianization; then train it
assert flow.log_prob(x).shape == (500,)
assert flow.sample(10).shape == (10, 2)
