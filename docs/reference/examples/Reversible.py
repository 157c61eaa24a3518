"""Shapes: Those of `Compose`."""

import torch

from implementations.core.nets import mlp
from implementations.core.reversible import Reversible
from implementations.nice import Coupling
from implementations.real_nvp import Affine

f = Reversible(*(Coupling(4, Affine(), mlp, swap=k % 2 == 1) for k in range(20)))
z, log_det = f(torch.randn(100, 4))
loss = (z.square().sum(1) / 2 - log_det).mean()
loss.backward()  # with one layer's activations at a time
assert all(p.grad is not None for p in f.parameters())
