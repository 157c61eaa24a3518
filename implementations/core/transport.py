"""Optimal transport between points, and what a velocity field spends on its way."""

from __future__ import annotations

from typing import NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from implementations.core.odes import Solver, VelocityField


def assignment(x: Tensor, y: Tensor) -> Tensor:
    """The order of y's rows for which Σ_i ‖x_i - y[order]_i‖² is least, exactly.

    x and y are of shape (n, dim); it takes about n³ operations on the CPU.

    Raises:
        ValueError: when the shapes differ.
    """
    if x.shape != y.shape:
        raise ValueError(
            f"assignment: expected two tensors of one shape, got {tuple(x.shape)} and "
            f"{tuple(y.shape)}"
        )
    cost = torch.cdist(x.double(), y.double()).square()
    _, order = linear_sum_assignment(cost.detach().cpu().numpy())
    return torch.as_tensor(order, device=y.device)


def squared_wasserstein(x: Tensor, y: Tensor) -> float:
    """W₂² between two samples of one size, which is above that of their laws.

    Two samples of one law are apart too: print that distance beside it.
    """
    return (x - y[assignment(x, y)]).double().square().sum(1).mean().item()


class Travel(NamedTuple):
    """Where points end, of shape (batch, dim), and ∫‖g‖² dt on their ways, (batch,)."""

    end: Tensor
    energy: Tensor


@torch.no_grad()
def travel(field: VelocityField, start: Tensor, solve: Solver) -> Travel:
    """Carry points from t = 0 to 1, with the energy ∫‖g(t, z_t)‖² dt that it takes.

    The energy is at least the squared distance that a point covers; they are equal
    where it moves straight and at one speed.
    """

    def change(t: Tensor, state: Tensor) -> Tensor:
        velocity = field(t, state[:, :-1])
        return torch.cat((velocity, velocity.square().sum(1, keepdim=True)), 1)

    state = torch.cat((start, start.new_zeros(start.shape[0], 1)), 1)
    end = solve(change, state, start.new_tensor((0.0, 1.0)))[-1]
    return Travel(end[:, :-1], end[:, -1])
