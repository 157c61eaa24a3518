"""Toy densities whose log-density is known, so that a fit's gap can be measured."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from implementations.core.flow import LOG_2PI, Base, Flow


class Toy(Base):
    """A density on the plane that can be sampled, evaluated, and knows its entropy.

    `entropy` is in nats, `box` is (x₁ from, x₁ to, x₂ from, x₂ to) and holds all of
    the density but 1e-6 or less.
    """

    entropy: float
    box: tuple[float, float, float, float]

    def __init__(self) -> None:
        super().__init__((2,))


class Banana(Toy):
    """x₁ ~ N(0, 1), x₂ = x₁² + ½ε."""

    entropy = 1 + LOG_2PI - math.log(2)
    box = (-5.0, 5.0, -3.0, 26.0)

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        a, b = z.unbind(-1)
        return -0.5 * (a.square() + (2 * (b - a.square())).square()) - (
            LOG_2PI - math.log(2)
        )

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        a, e = self.zero.new_empty(2, n).normal_()
        return torch.stack((a, a.square() + 0.5 * e), -1)


def kl_to(target: Toy, flow: Flow, n: int = 50_000) -> float:
    """KL(target ‖ flow), in nats, estimated on n fresh points of the target."""
    with torch.no_grad():
        x = target.sample(n)
        return (target.log_prob(x) - flow.log_prob(x)).mean().item()
