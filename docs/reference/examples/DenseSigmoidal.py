"""Shapes: `params` is `(batch, …, (4 * layers - 1) * units)`.

Raises: `ValueError`, when there is no layer or no unit, or `slope` is not positive.

Source: the deep dense sigmoidal flow of the paper.
"""

from functools import partial

import torch

from implementations.naf import DenseSigmoidal, naf

g = DenseSigmoidal(units=8, layers=2)
x = torch.randn(100, 3)
z, log_slope = g(x, torch.randn(100, 3, g.n_params))
assert z.shape == log_slope.shape == (100, 3)
flow = naf(3, layers=1, transformer=partial(DenseSigmoidal, 8))
assert flow.log_prob(x).shape == (100,)
