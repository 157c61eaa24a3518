"""Numerical methods: Jacobians, series and contractions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import vjp
from torch.nn.functional import linear
from torch.utils.flop_counter import FlopCounterMode

from implementations.core.bijection import Mapped

# A map of vectors, of shape (batch, D) to (batch, D); rows do not mix.
Map = Callable[[Tensor], Tensor]


def basis(x: Tensor) -> list[Tensor]:
    """Return the unit vectors, a batch of each: Σ v vᵀ = I."""
    eye = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    return [e.expand_as(x) for e in eye]


def signs(x: Tensor) -> list[Tensor]:
    """Draw one vector of random signs for each row of x: E v vᵀ = I."""
    return [2 * torch.empty_like(x).bernoulli_(0.5) - 1]


def products(g: Map, x: Tensor) -> tuple[Tensor, Map]:
    """g(x), and what multiplies rows of vectors by the Jacobian, v ↦ vᵀ J."""
    y, pull = cast(tuple[Tensor, Callable[..., tuple[Tensor]]], vjp(g, x))
    return y, lambda v: pull(v)[0]


def jacobian(g: Map, x: Tensor) -> tuple[Tensor, Tensor]:
    """g(x) and J of shape (batch, D, D), by D products."""
    y, times_j = products(g, x)
    return y, torch.stack([times_j(e) for e in basis(x)], 1)


def exact_log_det(g: Map, x: Tensor) -> Mapped:
    """g(x) and log|det(I + J)|, by D products."""
    y, j = jacobian(g, x)
    eye = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    return y, torch.linalg.slogdet(_widened(eye + j)).logabsdet.to(x.dtype)


def roulette(first: int = 2, p: float = 0.5) -> list[float]:
    """Draw how many terms of a series to take, and return a weight for each.

    So many first ones have weight 1. Each further one is the last with probability p,
    and is divided by the probability of getting there. So the sum has no bias; its
    variance is finite where terms fall off faster than (1 - p)^(k/2).
    """
    further = int(torch.empty(()).geometric_(p))
    return [1.0] * first + [(1 - p) ** -j for j in range(further)]


def within(weight: Tensor, c: float) -> Tensor:
    """W min(1, c/σ(W)), of largest singular value at most c.

    Power iteration, the usual estimate of σ, comes from below, and with vectors that
    are stale once the weights have moved; small layers afford the exact value.
    """
    norm = torch.linalg.matrix_norm(_widened(weight), 2)
    return weight / (norm / c).clamp(min=1).to(weight.dtype)


def _widened(x: Tensor) -> Tensor:
    """Return x in float32 at least: linear algebra has no half precision."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class Contraction(nn.Module):
    """A network g with ‖g(a) - g(b)‖ ≤ L ‖a - b‖.

    Each layer's largest singular value is at most L^(1/layers). Its activation is
    LipSwish, x sigmoid(βx) / 1.1, of slopes of at most 1 (Chen et al., 2019,
    arXiv:1906.02735). As weights cannot grow, it is β that lets g bend: one for each
    unit, which starts at 10.
    """

    def __init__(self, dim: int, hidden: Sequence[int], lipschitz: float) -> None:
        super().__init__()
        layers = [nn.Linear(*ends) for ends in pairwise((dim, *hidden, dim))]
        self.layers = cast(Sequence[nn.Linear], nn.ModuleList(layers))
        starts = [nn.Parameter(torch.full((n,), math.log(10))) for n in hidden]
        self.log_beta = nn.ParameterList(starts)
        self.c = lipschitz ** (1 / len(layers))

    def bounded(self) -> Map:
        """Return g, for whose many calls singular values are computed once."""
        weights = [within(layer.weight, self.c) for layer in self.layers]
        betas = [log_beta.exp() for log_beta in self.log_beta]

        def g(x: Tensor) -> Tensor:
            x = linear(x, weights[0], self.layers[0].bias)
            for k, beta in enumerate(betas, 1):
                # silu(βx)/β has slopes of up to 1.0998.
                x = x * (beta * x).sigmoid() / 1.1
                x = linear(x, weights[k], self.layers[k].bias)
            return x

        return g


@torch.no_grad()
def multiply_adds(run: Callable[[], Tensor]) -> int:
    """Count the multiply-adds of all products of matrices in one run."""
    with FlopCounterMode(display=False) as count:
        run()
    return count.get_total_flops() // 2
