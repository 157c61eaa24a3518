"""Shapes: `x` and `z` are `(batch, dim)`, a context is `(batch, context)`.

Source: §4
"""

from implementations.core.fit import fit
from implementations.core.toy import kl_to
from implementations.sos import four_spots, sos

flow, target = sos(2), four_spots()  # its numbers are of size about 1
before = kl_to(target, flow, 2000)
fit(
    flow,
    lambda x: -flow.log_prob(x).mean(),
    100,
    lambda: target.sample(256),
    lr=3e-3,
    clip=5.0,
)
assert kl_to(target, flow, 2000) < before / 2
