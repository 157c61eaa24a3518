"""Shapes: `params` has one number more than those of the map inside: the turn.

Source: maps of the circle that keep 0, and a turn after them
"""

import math

import torch

from implementations.tori_spheres import CircularSpline, Turned

f = Turned(CircularSpline(bins=6))
x = 2 * math.pi * torch.rand(101)
params = torch.randn(101, f.n_params)
z, log_slope = f(x, params)
assert 0 <= z.min() and z.max() <= 2 * math.pi
assert f.inverse(z, params)[0].allclose(x, atol=1e-3)
