"""Shapes: `z` is `(batch, *shape)`, for events of any shape.

Raises: Nothing by itself: the `Flow` around it checks.
"""

from implementations.core.flow import StandardNormal

base = StandardNormal((3, 4, 4))
z = base.sample(10)
assert z.shape == (10, 3, 4, 4)
assert base.log_prob(z).shape == (10,)
