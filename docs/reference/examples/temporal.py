"""Shapes: series are `(batch, time, dim)`, features `(batch, time, features)`.

Source: section 4.
"""

import torch

from implementations.temporal import temporal

model = temporal(3, features=2)
x, c = torch.randn(5, 24, 3), torch.randn(5, 36, 2)
assert model.log_prob(x, c[:, :24]).shape == (5, 24)
assert model.forecast(x, c, paths=10).shape == (5, 10, 12, 3)
