"""Shapes: unit vectors `(batch, D + 1)`; `inner` maps D - 1 heights and an angle.

Source: the recursive construction of flows on spheres
"""

import torch

from implementations.tori_spheres import (
    CircularSpline,
    FreeSpline,
    InTurn,
    Recursive,
    Turned,
    UniformSphere,
)

inner = InTurn([FreeSpline(8), FreeSpline(8), Turned(CircularSpline(6))])
f, x = Recursive(inner), UniformSphere(3).sample(10)
z, log_det = f(x)
assert z.norm(dim=1).allclose(torch.ones(10)) and log_det.shape == (10,)
assert f.inverse(z)[0].allclose(x, atol=1e-4)
