"""Shapes: `x` and `z` are `(batch, dim)`, a context is `(batch, context)`.

Source: §3.2, §3.5
"""

import torch

from implementations.real_nvp import real_nvp_vector

flow = real_nvp_vector(3)
x = torch.randn(100, 3)
z, log_det = flow.bijection(x)
back, minus_log_det = flow.bijection.inverse(z)
assert torch.allclose(back, x, atol=1e-5)
assert torch.allclose(minus_log_det, -log_det, atol=1e-5)
