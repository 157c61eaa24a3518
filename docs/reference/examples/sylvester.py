"""Shapes: `x` and `z` are `(batch, dim)`, a context is `(batch, context)`.

Source: the three kinds of Sylvester flows, as in the authors' code
"""

from implementations.core.toy import Banana
from implementations.sylvester import sylvester

q, target = sylvester(2, layers=2, kind="householder"), Banana()
x, log_q = q.rsample_and_log_prob(500)
weights = (target.log_prob(x) - log_q).softmax(0)
effective = 1 / weights.square().sum()  # draws that count
assert 1 <= effective <= 500
assert q.log_prob(x).allclose(log_q, atol=1e-4)  # the inverse, unit by unit
