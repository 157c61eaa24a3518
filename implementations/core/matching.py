"""Regression of a velocity on paths whose two ends are given: no ODE is solved."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Moving(NamedTuple):
    """Where paths are, and how they move: x_t and dx_t/dt, of shape (batch, dim)."""

    point: Tensor
    velocity: Tensor


# A time for each row, of shape (batch, 1), and both ends of its path, (batch, dim).
Path = Callable[[Tensor, Tensor, Tensor], Moving]


def line(t: Tensor, x0: Tensor, x1: Tensor) -> Moving:
    """From x0 at t = 0 to x1 at t = 1, straight and at one speed."""
    return Moving((1 - t) * x0 + t * x1, x1 - x0)


def squared_misses(
    field: Callable[[Tensor, Tensor], Tensor],
    x0: Tensor,
    x1: Tensor,
    path: Path = line,
    last: float = 1.0,
) -> Tensor:
    """‖g(t, x_t) - dx_t/dt‖² for each pair, of shape (batch,): what regression lowers.

    Each row has a time of its own, uniform between 0 and `last`; the field takes times
    of shape (batch, 1), as `TimeNetwork` does. Its expectation is least where g is the
    mean velocity of all paths that pass a point, and is not 0 there where they cross.
    """
    t = last * torch.rand_like(x0[:, :1])
    point, velocity = path(t, x0, x1)
    return (field(t, point) - velocity).square().sum(1)
