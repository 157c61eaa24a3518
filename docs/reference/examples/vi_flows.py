"""Shapes: `x` and `z` are `(batch, dim)`, a context is `(batch, context)`.

Source: §4.1
"""

from implementations.core.toy import Banana
from implementations.vi_flows import vi_flows

q, target = vi_flows(2, layers=8), Banana()
x, log_q = q.rsample_and_log_prob(500)
weights = (target.log_prob(x) - log_q).softmax(0)
effective = 1 / weights.square().sum()  # draws that count
assert 1 <= effective <= 500
