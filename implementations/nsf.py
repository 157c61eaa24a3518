# %%
"""Neural spline flows (Durkan, Bekasov, Murray and Papamakarios, arXiv:1906.04032)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, softplus

from implementations.core.bijection import Bijection, Compose, Mapped, Univariate
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import mlp
from implementations.nice import Coupling

LEAST = 1e-3
UNIT = math.log(math.expm1(1 - LEAST))


def positive(theta: Tensor) -> Tensor:
    """softplus(θ + c) + 10⁻³, with the c for which 0 becomes 1."""
    return softplus(theta + UNIT) + LEAST


class Bin(NamedTuple):
    """The bin of a spline that a point is in: corner, width, height, slopes."""

    x: Tensor
    y: Tensor
    width: Tensor
    height: Tensor
    left: Tensor
    right: Tensor


class Spline(Univariate):
    def __init__(self, bins: int = 8, bound: float = 3.0) -> None:
        super().__init__()
        self.bins, self.bound, self.n_params = bins, bound, 3 * bins - 1

    def forward(self, x: Tensor, params: Tensor) -> Mapped:
        return self._inside(x, params, 0)

    def inverse(self, z: Tensor, params: Tensor) -> Mapped:
        return self._inside(z, params, 1)

    def _inside(self, x: Tensor, params: Tensor, side: int) -> Mapped:
        wide = torch.promote_types(x.dtype, torch.float32)
        clamped = x.to(wide).clamp(-self.bound, self.bound)
        b = self._bin(clamped, params.to(wide), side)
        z, log_slope = inverse(clamped, b) if side else forward(clamped, b)
        inside = x.abs() <= self.bound
        z = torch.where(inside, z.to(x.dtype), x)
        return z, torch.where(inside, log_slope.to(x.dtype), 0)

    def _bin(self, x: Tensor, params: Tensor, side: int) -> Bin:
        k = self.bins
        shares = params[..., : 2 * k].unflatten(-1, (2, k)).softmax(-1)
        sizes = 2 * self.bound * (LEAST + (1 - LEAST * k) * shares)
        ends = sizes.cumsum(-1) - self.bound
        inner = ends[..., side, :-1]
        i = (x[..., None] >= inner).sum(-1, keepdim=True)
        both = i[..., None, :].expand(*i.shape[:-1], 2, 1)
        width, height = sizes.gather(-1, both).squeeze(-1).unbind(-1)
        x1, y1 = ends.gather(-1, both).squeeze(-1).unbind(-1)
        slopes = pad(params[..., 2 * k :], (1, 1))
        two = positive(slopes.gather(-1, torch.cat((i, i + 1), -1)))
        left, right = two.unbind(-1)
        return Bin(x1 - width, y1 - height, width, height, left, right)


def forward(x: Tensor, b: Bin) -> Mapped:
    u = ((x - b.x) / b.width).clamp(0, 1)
    s = b.height / b.width
    v = 1 - u
    below, above = u * (s * u + b.left * v), v * (s * v + b.right * u)
    return b.y + b.height * below / (below + above), log_slope(u, s, b)


def log_slope(u: Tensor, s: Tensor, b: Bin) -> Tensor:
    v = 1 - u
    uv, uu, vv = u * v, u * u, v * v
    n = b.right * uu + 2 * s * uv + b.left * vv
    d = s * (uu + vv) + (b.left + b.right) * uv
    return n.log() + 2 * (s / d).log()


def inverse(y: Tensor, b: Bin) -> Mapped:
    s = b.height / b.width
    e = ((y - b.y) / b.height).clamp(0, 1)
    f = 1 - e
    p = b.left * f - b.right * e
    r = (p.square() + 4 * s.square() * e * f).sqrt() + p.abs()
    top = torch.where(p >= 0, 2 * s * e, r)
    bottom = torch.where(p >= 0, r, 2 * s * f)
    u = top / (top + bottom)
    return b.x + b.width * u, -log_slope(u, s, b)
