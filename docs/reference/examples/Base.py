"""Shapes: `z` is `(batch, *shape)`, a context is `(batch, context)`.

Raises: Nothing by itself: the `Flow` around it checks.
"""

from torch.distributions import Laplace

from implementations.core.flow import Base


class Peaked(Base):
    """Independent components, each with a peak at 0."""

    def log_prob(self, z, context=None):
        return self._each().log_prob(z).flatten(1).sum(1)

    def sample(self, n, context=None):
        return self._each().sample((n, *self.shape))

    def _each(self):  # `zero` knows dtype and device
        return Laplace(self.zero, self.zero + 1)


base = Peaked((2,)).double()
assert base.log_prob(base.sample(7)).shape == (7,)
