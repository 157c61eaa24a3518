"""Shapes: `v` is `(…, K, D)`, and the matrix `(…, D, D)`.

Source: the Householder kind of Sylvester flows
"""

import torch

from implementations.sylvester import householder

v = torch.randn(10, 3, 5)  # ten times three reflections
q = householder(v)
assert q.shape == (10, 5, 5)
assert (q.mT @ q).allclose(torch.eye(5), atol=1e-5)
assert torch.linalg.det(q).allclose(-torch.ones(10), atol=1e-5)  # (-1)³
