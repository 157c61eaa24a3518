"""Shapes: `x` and `z` are `(batch, dim)`, a context is `(batch, context)`.

Raises: `ValueError` in training, when a batch has one event only: its variance would be
0.

Source: §3.1
"""

from implementations.core.toy import eight_gaussians, kl_to
from implementations.maf import maf_mog

target = eight_gaussians()
flow = maf_mog(2, layers=2, components=8)
flow.initialise(target.sample(1000))
gap = kl_to(target, flow.eval())  # before training
assert gap > 0
