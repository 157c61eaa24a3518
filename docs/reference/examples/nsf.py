"""Shapes: `x` and `z` are `(batch, dim)`, a context is `(batch, context)`.

Raises: `ValueError`, when `bins` is not from 1 to 999.

Source: §3.1, §3.2
"""

from implementations.core.fit import fit
from implementations.core.toy import TwoMoons, kl_to
from implementations.nsf import nsf

flow, target = nsf(2), TwoMoons()
before = kl_to(target, flow, 2000)
fit(
    flow,
    lambda x: -flow.log_prob(x).mean(),
    100,
    lambda: target.sample(256),
    lr=5e-3,
)
assert kl_to(target, flow, 2000) < before / 2
