"""Shapes: `x` and `z` are `(batch, dim)`, in the unit cube; a context is
`(batch, context)`.

Source: two couplings with one-blob inputs, for densities of the square; sizes of
networks are ours
"""

from functools import partial

import torch

from implementations.core.fit import fit
from implementations.nis import camel, draw, mixed, nis, weighted_loss

flow, f = nis(2, bins=16), camel(2)  # an integral of 1
fit(flow, partial(weighted_loss, flow, f.log_prob, 500, 0.05), 50, lr=5e-3)
with torch.no_grad():
    x = draw(flow, 5000, even=0.05)
    w = (f.log_prob(x) - mixed(flow.log_prob(x), 0.05)).exp()
assert abs(w.mean() - 1) < 0.1
