"""Velocity fields whose paths are known."""

from __future__ import annotations

from torch import Tensor

from implementations.core.odes import VelocityField


class Turn(VelocityField):
    """g(t, z) = A z."""

    a: Tensor

    def __init__(self, a: Tensor) -> None:
        super().__init__(len(a))
        self.register_buffer("a", a)

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        return z @ self.a.T
