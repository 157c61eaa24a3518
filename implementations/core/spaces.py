"""Spaces of events that are not all numbers, and distributions on them.

On a surface, densities and log-determinants are measured along it: a log-determinant is
that of the map between tangent directions (`Space.tangent`), not between all numbers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from implementations.core.bijection import Shape
from implementations.core.flow import Base


class Space(ABC):
    """The events that are possible, among all tensors of their shape."""

    @abstractmethod
    def points(self, free: Tensor) -> Tensor:
        """Points of the space, one for each row of free numbers; both are (n, …)."""

    def tangent(self, x: Tensor) -> Tensor | None:
        """Orthonormal directions along the space at each x, of shape (n, numbers, k).

        `numbers` counts those of an event. None stands for all directions.
        """
        return None


class Everywhere(Space):
    """All numbers."""

    def points(self, free: Tensor) -> Tensor:
        return free


class Box(Space):
    """Numbers from `low` to `high`, each for itself; angles, too."""

    def __init__(self, low: float = 0.0, high: float = 1.0) -> None:
        self.low = low
        self.high = high

    def points(self, free: Tensor) -> Tensor:
        return self.low + (self.high - self.low) * free.sigmoid()


class OnSpace(Base):
    """A distribution on a space that is not all numbers."""

    def __init__(self, shape: Shape, space: Space, context: int = 0) -> None:
        super().__init__(shape, context)
        self.space = space


class Uniform(OnSpace):
    """p(z) = (high - low)⁻ᴰ in a box of D numbers, ends included, and 0 outside."""

    space: Box

    def __init__(self, shape: Shape, low: float = 0.0, high: float = 1.0) -> None:
        super().__init__(shape, Box(low, high))

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        low, high = self.space.low, self.space.high
        inside = ((z >= low) & (z <= high)).flatten(1).all(1)
        log_p = z.new_full(inside.shape, -math.prod(self.shape) * math.log(high - low))
        log_p = torch.where(inside, log_p, -math.inf)
        return torch.where(z.isnan().flatten(1).any(1), math.nan, log_p)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        low, high = self.space.low, self.space.high
        return self.zero.new_empty(n, *self.shape).uniform_(low, high)


def space_of(base: Base) -> Space:
    """The space on which a base is a distribution."""
    return base.space if isinstance(base, OnSpace) else Everywhere()
