"""Densities to fit, of known entropy: four on the plane, four up to dimension 8."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from implementations.core.flow import LOG_2PI, Base
from implementations.core.toy import (
    Checkerboard,
    Swirl,
    TwoMoons,
    eight_gaussians,
)

NORMAL_ENTROPY = (1 + LOG_2PI) / 2


@dataclass(frozen=True)
class Target:
    """A density, its entropy in nats (given the context), and what draws contexts."""

    density: Base
    entropy: float
    draw_context: Callable[[int], Tensor | None] = lambda n: None

    @property
    def dim(self) -> int:
        """The width of events."""
        return self.density.shape[0]

    def draw(self, n: int) -> tuple[Tensor, Tensor | None]:
        """Draw n events and the contexts that they belong to."""
        context = self.draw_context(n)
        return self.density.sample(n, context), context


def _normal(x: Tensor, mean: Tensor | float = 0.0, std: float = 1.0) -> Tensor:
    return -0.5 * (((x - mean) / std).square() + LOG_2PI) - math.log(std)


class Chain(Base):
    """x₁ ~ N(0, 1), x_{i+1} ~ N(1.5 sin 2x_i, 0.4²)."""

    spread = 0.4

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        steps = _normal(z[:, 1:], self._mean(z[:, :-1]), self.spread)
        return _normal(z[:, 0]) + steps.sum(1)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        first, *rest = self.zero.new_empty(self.shape[0], n).normal_()
        x = [first]
        for noise in rest:
            x.append(self._mean(x[-1]) + self.spread * noise)
        return torch.stack(x, 1)

    @staticmethod
    def _mean(x: Tensor) -> Tensor:
        return 1.5 * (2 * x).sin()


class Funnel(Base):
    """x₁ ~ N(0, 1), and all others N(0, exp(x₁)), of that variance."""

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        log_std = z[:, :1] / 2
        rest = _normal(z[:, 1:] * (-log_std).exp()) - log_std
        return _normal(z[:, 0]) + rest.sum(1)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        x = self.zero.new_empty(n, *self.shape).normal_()
        return torch.cat((x[:, :1], x[:, 1:] * (x[:, :1] / 2).exp()), 1)


class BentBanana(Base):
    """x₁ ~ N(0, 1), x₂ ~ N(c (x₁² - 1), ½²), bent up or down by the context c."""

    def __init__(self) -> None:
        super().__init__((2,), context=1)

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        a, b = z.unbind(1)
        return _normal(a) + _normal(b, self._mean(a, context), 0.5)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        a, e = self.zero.new_empty(2, n).normal_()
        return torch.stack((a, self._mean(a, context) + 0.5 * e), 1)

    @staticmethod
    def _mean(a: Tensor, context: Tensor | None) -> Tensor:
        assert context is not None
        return context[:, 0] * (a.square() - 1)


class TurnedPeaks(Base):
    """Four peaks in four dimensions, turned by an angle whose (cos, sin) is given.

    Two planes, each with ½ N((±1.5, 0), 0.4² I), turn in opposite directions.
    """

    place, spread = 1.5, 0.4

    def __init__(self) -> None:
        super().__init__((4,), context=2)

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        a, b = self._turn(z.unflatten(1, (2, 2)), context, -1).unbind(2)
        peaks = torch.stack(
            [_normal(a, place, self.spread) for place in (self.place, -self.place)]
        )
        log_p = peaks.logsumexp(0) - math.log(2) + _normal(b, 0.0, self.spread)
        return log_p.sum(1)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        noise = self.spread * self.zero.new_empty(n, 2, 2).normal_()
        sides = 2 * torch.randint(2, (n, 2), device=self.zero.device) - 1
        a, b = noise.unbind(2)
        x = torch.stack((a + self.place * sides, b), 2)
        return self._turn(x, context, 1).flatten(1)

    @staticmethod
    def _turn(x: Tensor, context: Tensor | None, sign: int) -> Tensor:
        assert context is not None
        cos, sin = context[:, :1], context[:, 1:] * context.new_tensor([sign, -sign])
        a, b = x.unbind(2)
        return torch.stack((cos * a - sin * b, sin * a + cos * b), 2)

    @classmethod
    def entropy(cls) -> float:
        """Twice the entropy of a plane: that along the peaks is by quadrature."""
        x = np.linspace(-6, 6, 20_001)
        e = (x[:, None] - [cls.place, -cls.place]) / cls.spread
        p = np.exp(-0.5 * e**2).mean(1) / (cls.spread * math.sqrt(2 * math.pi))
        along = -np.trapezoid(p * np.log(p), x)
        return 2 * (float(along) + NORMAL_ENTROPY + math.log(cls.spread))


def _bends(n: int) -> Tensor:
    return torch.empty(n, 1).uniform_(-1, 1)


def _turns(n: int) -> Tensor:
    angle = torch.empty(n, 1).uniform_(0, math.pi)
    return torch.cat((angle.cos(), angle.sin()), 1)


def targets() -> dict[str, Target]:
    """Build all targets, by name; where a name says "given", there is a context."""
    moons, rings, swirl, board = TwoMoons(), eight_gaussians(), Swirl(), Checkerboard()
    return {
        "two moons, 2-d": Target(moons, moons.entropy),
        "eight Gaussians, 2-d": Target(rings, rings.entropy),
        "swirl, 2-d": Target(swirl, swirl.entropy),
        "checkerboard, 2-d": Target(board, board.entropy),
        "banana, 2-d, given its bend": Target(
            BentBanana(), 2 * NORMAL_ENTROPY - math.log(2), _bends
        ),
        "four peaks, 4-d, given their angle": Target(
            TurnedPeaks(), TurnedPeaks.entropy(), _turns
        ),
        "chain of sines, 6-d": Target(
            Chain((6,)), 6 * NORMAL_ENTROPY + 5 * math.log(Chain.spread)
        ),
        "funnel, 8-d": Target(Funnel((8,)), 8 * NORMAL_ENTROPY),
    }
