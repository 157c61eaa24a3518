"""Shapes: `x` is any shape of angles; `params` has it and a last axis of 3K numbers.

Source: convex combinations of Möbius maps of the circle
"""

import math

import torch

from implementations.tori_spheres import Mobius

f = Mobius(centres=4)
x, params = 2 * math.pi * torch.rand(7, 2), torch.randn(7, 2, f.n_params)
z, log_slope = f(x, params)
assert f.inverse(z, params)[0].allclose(x, atol=1e-3)
