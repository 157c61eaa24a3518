"""Shapes: `x` and `z` are `(batch, dim)`, a context is `(batch, context)`.

Raises: `ValueError` in training, when a batch has one event only: its variance would be
0.

Source: §3.1, §3.5, appendix B
"""

import torch

from implementations.maf import maf

flow = maf(2, context=3).eval()
labels = torch.eye(3)[torch.randint(3, (100,))]
x = flow.sample(100, labels)  # one for each label
assert x.shape == (100, 2)
assert flow.log_prob(x, labels).shape == (100,)
