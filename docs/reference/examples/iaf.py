"""Shapes: `x` and `z` are `(batch, dim)`, a context, `h`, is `(batch, context)`.

Source: §4
"""

from implementations.core.fit import fit
from implementations.core.toy import Banana
from implementations.iaf import iaf

q, target = iaf(2, hidden=(32, 32)), Banana()


def loss():
    z, log_q = q.rsample_and_log_prob(128)
    return (log_q - target.log_prob(z)).mean()  # KL(q ‖ target)


history = fit(q, loss, 100)
assert history.loss[-1] < history.loss[0]
