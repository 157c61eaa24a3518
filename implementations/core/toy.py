"""Toy densities whose log-density is known, so that a fit's gap can be measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from implementations.core.flow import LOG_2PI, Base, Flow

Box = tuple[float, float, float, float]


class Toy(Base):
    """A density on the plane that can be sampled and evaluated, of known entropy.

    `entropy` is in nats (found by quadrature where no formula is given); `box` is
    (x₁ from, x₁ to, x₂ from, x₂ to), outside of which there is less than 1e-6.
    """

    entropy: float
    box: Box

    def __init__(self) -> None:
        super().__init__((2,))

    def _normal(self, *shape: int) -> Tensor:
        return self.zero.new_empty(shape).normal_()

    def _uniform(self, *shape: int) -> Tensor:
        return self.zero.new_empty(shape).uniform_()

    def _which(self, n: int, among: int) -> Tensor:
        return torch.randint(among, (n,), device=self.zero.device)


class Banana(Toy):
    """x₁ ~ N(0, 1), x₂ = x₁² + ½ε."""

    entropy = 1 + LOG_2PI - math.log(2)
    box = (-5.0, 5.0, -3.0, 26.0)

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        a, b = z.unbind(-1)
        e = 2 * (b - a.square())
        return -0.5 * (a.square() + e.square()) - LOG_2PI + math.log(2)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        a, e = self._normal(2, n)
        return torch.stack((a, a.square() + 0.5 * e), -1)


class Mixture(Toy):
    """Σ_k N(μ_k, σ_k² I) / K: Gaussians of equal weight, each of its own size."""

    means: Tensor
    sigmas: Tensor

    def __init__(
        self,
        means: Sequence[tuple[float, float]],
        sigmas: Sequence[float],
        entropy: float,
        box: Box,
    ) -> None:
        super().__init__()
        self.register_buffer("means", torch.tensor(means))
        self.register_buffer("sigmas", torch.tensor(sigmas))
        self.entropy, self.box = entropy, box

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        e = (z[:, None] - self.means) / self.sigmas[:, None]
        parts = -0.5 * e.square().sum(-1) - 2 * self.sigmas.log() - LOG_2PI
        return parts.logsumexp(-1) - math.log(len(self.sigmas))

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        k = self._which(n, len(self.sigmas))
        return self.means[k] + self.sigmas[k, None] * self._normal(n, 2)


def two_scales() -> Mixture:
    """½ N((-2, 0), 0.15² I) + ½ N((2, 0), I), which one volume cannot fit."""
    places = [(-2.0, 0.0), (2.0, 0.0)]
    return Mixture(places, [0.15, 1.0], 1.633458, (-3.5, 7.5, -5.5, 5.5))


def eight_gaussians() -> Mixture:
    """Eight Gaussians of σ = 0.2 on a circle of radius 2."""
    angles = [k * math.pi / 4 for k in range(8)]
    places = [(2 * math.cos(a), 2 * math.sin(a)) for a in angles]
    return Mixture(places, [0.2] * 8, 1.698061, (-3.2, 3.2, -3.2, 3.2))


class TwoMoons(Toy):
    """Two half circles that interlock, blurred by σ = 0.1.

    The density is the quadrature of the blur along both arcs.
    """

    entropy = 1.007585
    box = (-1.6, 2.6, -1.1, 1.6)
    nodes: Tensor
    log_weights: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Gauss-Legendre, with enough nodes for errors below 1e-11.
        t, weights = np.polynomial.legendre.leggauss(96)
        arcs = self._arcs(torch.from_numpy(math.pi * (t + 1) / 2))
        self.register_buffer("nodes", torch.cat(arcs).float())
        log_weights = torch.from_numpy(weights / 4).log().float().repeat(2)
        self.register_buffer("log_weights", log_weights)

    @staticmethod
    def _arcs(t: Tensor) -> tuple[Tensor, Tensor]:
        upper = torch.stack((t.cos(), t.sin()), -1)
        return upper, upper.new_tensor([1.0, 0.5]) - upper

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        a, b = (z[:, k, None] - self.nodes[:, k] for k in (0, 1))
        parts = self.log_weights - (a.square() + b.square()) / (2 * 0.1**2)
        return parts.logsumexp(-1) - LOG_2PI - 2 * math.log(0.1)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        upper, lower = self._arcs(math.pi * self._uniform(n))
        arc = torch.where(self._which(n, 2)[:, None] == 0, upper, lower)
        return arc + 0.1 * self._normal(n, 2)


class Swirl(Toy):
    """Five arms: N((1, 0), diag(0.3², 0.1²)), turned by 2πk/5 + e^r/2 at radius r.

    Turning by an angle that depends on the radius alone preserves volume.
    """

    entropy = 0.934294
    box = (-2.7, 2.7, -2.7, 2.7)

    @staticmethod
    def _turn(x: Tensor, arm: Tensor, sign: int) -> Tensor:
        angle = sign * (arm * (2 * math.pi / 5) + x.norm(dim=-1).exp() / 2)
        a, b = x.unbind(-1)
        cos, sin = angle.cos(), angle.sin()
        return torch.stack((cos * a - sin * b, sin * a + cos * b), -1)

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        arms = torch.arange(5, device=z.device)
        a, b = self._turn(z[:, None], arms, -1).unbind(-1)
        parts = -0.5 * (((a - 1) / 0.3).square() + (b / 0.1).square())
        return parts.logsumexp(-1) - LOG_2PI - math.log(5 * 0.3 * 0.1)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        a, b = self._normal(2, n)
        return self._turn(torch.stack((1 + 0.3 * a, 0.1 * b), -1), self._which(n, 5), 1)


class Checkerboard(Toy):
    """Uniform on the eight even cells, of side 1, of [-2, 2]²."""

    entropy = math.log(8)
    box = (-2.5, 2.5, -2.5, 2.5)

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        even = z.floor().sum(-1).remainder(2) == 0
        inside = even & (z.abs() < 2).all(-1)
        return torch.where(inside, -math.log(8), -math.inf).to(z.dtype)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        column, row = self._which(n, 4), self._which(n, 2)
        corner = torch.stack((column, 2 * row + column % 2), -1) - 2
        # Rounding must not push a point over the edge of its cell.
        return corner + self._uniform(n, 2).clamp(1e-6, 1 - 1e-6)


def kl_to(target: Base, flow: Flow, n: int = 50_000) -> float:
    """KL(target ‖ flow), the gap in nats, estimated on n fresh points."""
    with torch.no_grad():
        x = target.sample(n)
        gap = target.log_prob(x) - flow.log_prob(x)
    return gap.double().mean().item()


def gaussian_gap(target: Toy, n: int = 50_000) -> float:
    """KL(target ‖ N), in nats, for the Gaussian N of the same mean and covariance."""
    log_det = target.sample(n).T.cov().logdet().item()
    return 1 + LOG_2PI + log_det / 2 - target.entropy
