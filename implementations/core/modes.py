"""The modes that samples hold, counted so that neither noise nor luck passes."""

from __future__ import annotations

import torch
from torch import Tensor

# How sure a count must be, in standard errors.
SURE = 2.0


def shares_held(x: Tensor, centres: Tensor, radius: float | Tensor) -> Tensor:
    """Share of the samples within `radius` of each centre, of shape (K,).

    x has shape (n, …), centres (K, …); distances are Euclidean. Samples that are near
    no centre count for none.
    """
    far = torch.cdist(x.flatten(1), centres.flatten(1))
    return (far <= radius).to(x).mean(0)


def modes_held(
    x: Tensor,
    centres: Tensor,
    radius: float | Tensor,
    shares: Tensor,
    least: float = 0.2,
) -> Tensor:
    """True for each mode that surely has `least` of its due, of shape (K,).

    `shares` are the target's own within `radius` of each centre. A mode counts if the
    samples' share, less two standard errors, is at least that part of it. So a few
    stray points are no mode, and points that are spread everywhere hold none.
    """
    found = shares_held(x, centres, radius)
    error = (found * (1 - found) / x.shape[0]).sqrt()
    return found - SURE * error >= least * shares
