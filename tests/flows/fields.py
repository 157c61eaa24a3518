"""Velocity fields whose paths are known."""

from __future__ import annotations

import torch
from torch import Tensor

from implementations.core.matching import Path
from implementations.core.odes import VelocityField


class Turn(VelocityField):
    """g(t, z) = A z."""

    a: Tensor

    def __init__(self, a: Tensor) -> None:
        super().__init__(len(a))
        self.register_buffer("a", a)

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        return z @ self.a.T


def velocity_by_autograd(path: Path, t: Tensor, x0: Tensor, x1: Tensor) -> Tensor:
    """d x_t / dt of the path's points, a time for each row."""
    t = t.clone().requires_grad_()
    point = path(t, x0, x1).point
    each = [torch.autograd.grad(c.sum(), t, retain_graph=True)[0] for c in point.T]
    return torch.cat(each, 1)
