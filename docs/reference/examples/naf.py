"""Shapes: `x` and `z` are `(batch, dim)`, a context is `(batch, context)`.

Source: the deep sigmoidal flow of the paper, with the sizes of the authors' code.
"""

import torch

from implementations.naf import naf

flow = naf(2)
x = torch.randn(100, 2)
assert flow.log_prob(x).shape == (100,)
assert flow.sample(10).shape == (10, 2)  # 35 evaluations for each number and layer
