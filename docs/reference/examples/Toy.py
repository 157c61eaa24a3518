"""Shapes: Points are `(batch, 2)`, log-densities `(batch,)`.

Raises: Nothing by itself.
"""

from implementations.core.toy import Swirl, Toy

target: Toy = Swirl()
x = target.sample(5000)
entropy = -target.log_prob(x).mean().item()
assert abs(entropy - target.entropy) < 0.1
