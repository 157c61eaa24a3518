"""The standard normal's quantile function, from logarithms."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.special import erfcx, ndtri

from implementations.core.flow import LOG_2PI

# Below this log-probability, the asymptotic formula is the better start.
FAR = -10.0


def quantile(log_p: Tensor, log_q: Tensor) -> Tensor:
    """z with Φ(z) = p, from log p and log q, where q = 1 - p.

    Both are given, since the smaller of p and q alone tells how far out z lies, and p
    itself soon is 0 or 1 in floating point. So z has no jump and no end: it is exact to
    rounding for log-probabilities down to -1e8, in float32 too, and so are first and
    second derivatives. Probabilities of 0 and 1 have no z, and give NaN.
    """
    below = log_p < log_q
    # Of the smaller one; rounding may leave both above a half.
    log_least = torch.where(below, log_p, log_q).clamp(max=-math.log(2))
    z = _newton(_start(log_least), log_least).detach()
    for _ in range(2):
        z = _newton(z, log_least)
    return torch.where(below, z, -z)


def _newton(z: Tensor, log_p: Tensor) -> Tensor:
    """A step towards log Φ(z) = log p, for z ≤ 0, by erfcx = eˣˣ erfc.

    (Followers of many rows at once, such as vmap, are slow on `log_ndtr`.)
    """
    scaled = erfcx(-z / math.sqrt(2))
    log_ndtr = (scaled / 2).log() - z.square() / 2
    return z - (log_ndtr - log_p) * scaled * math.sqrt(math.pi / 2)


@torch.no_grad()
def _start(log_p: Tensor) -> Tensor:
    """z with log Φ(z) = log p to three digits."""
    near = ndtri(log_p.clamp(min=FAR).exp())
    square = -2 * log_p.clamp(max=FAR) - LOG_2PI
    return torch.where(log_p > FAR, near, -(square - square.log()).sqrt())
