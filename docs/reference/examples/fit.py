"""Shapes: `loss` returns a scalar; a batch is whatever `loss` takes."""

from implementations.core.fit import fit
from implementations.core.toy import TwoMoons
from implementations.real_nvp import real_nvp_vector

flow, target = real_nvp_vector(2), TwoMoons()
held_out = target.sample(1000)
history = fit(
    flow,
    lambda x: -flow.log_prob(x).mean(),
    steps=100,
    draw=lambda: target.sample(256),
    validate=lambda: -flow.log_prob(held_out).mean(),
    every=50,
)
first, last = history.validation
assert last[1] < first[1]
