"""Shapes: angles are `(batch, dim)`, unit vectors `(batch, dim + 1)`.

Source: the recursive flow of spheres, and the autoregressive one of tori
"""

import torch

from implementations.core.weights import effective_share, weigh
from implementations.tori_spheres import SpherePeaks, tori_spheres

q, target = tori_spheres(2), SpherePeaks()  # directions, on the usual sphere
x, log_w = weigh(q, target.log_prob, 500)
assert x.norm(dim=1).allclose(torch.ones(500))
assert 0 < effective_share(log_w) < 1  # not trained yet

angles = tori_spheres(3, on="torus")
assert angles.log_prob(angles.sample(5)).shape == (5,)
