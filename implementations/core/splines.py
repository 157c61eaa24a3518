"""The bin of a spline that a point is in, found fast: nsf.py has a readable search."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad, softplus

# No share of a spline's width or height, and no slope, is smaller.
LEAST = 1e-3
# So many numbers are taken at a time, 16 MB of float32: pieces of more than 32 MB are
# fetched from the system each time, which takes longer than the work.
NUMBERS = 2**22
# softplus(UNIT) + LEAST = 1.
UNIT = math.log(math.expm1(1 - LEAST))


def positive(theta: Tensor) -> Tensor:
    """softplus(θ + c) + 10⁻³, where c makes 1 of θ = 0."""
    return softplus(theta + UNIT) + LEAST


class Bin(NamedTuple):
    """The bin that a point is in: its lower left corner, sizes and slopes at its ends.

    `s` is height / width.
    """

    x: Tensor
    y: Tensor
    width: Tensor
    height: Tensor
    s: Tensor
    left: Tensor
    right: Tensor


def find_bin(points: Tensor, params: Tensor, bound: float, axis: int) -> Bin:
    """Find the bin of each point: among the x_k for axis 0, among the y_k for axis 1.

    Takes points of any shape within the bounds, and params with a last axis of 3K - 1;
    on a CPU as many rows at a time as have `NUMBERS` parameters.
    """
    whole = params.device.type != "cpu" or torch.compiler.is_compiling()
    if whole or params.numel() <= NUMBERS or points.shape != params.shape[:-1]:
        return _find_bin(points, params, bound, axis)
    rows = max(1, NUMBERS // params[0].numel())
    pieces = zip(points.split(rows), params.split(rows), strict=True)
    found = [_find_bin(*piece, bound, axis) for piece in pieces]
    return Bin(*map(torch.cat, zip(*found, strict=True)))


def _find_bin(points: Tensor, params: Tensor, bound: float, axis: int) -> Bin:
    bins = (params.shape[-1] + 1) // 3
    logits, inner = params.split((2 * bins, bins - 1), -1)
    logits = logits.unflatten(-1, (2, bins))
    # A softmax, but for the division: only what is found will be divided by the sum.
    parts = (logits - logits.detach().amax(-1, keepdim=True)).exp()
    parts = parts + LEAST / (1 - bins * LEAST) * parts.sum(-1, keepdim=True)
    # Measured from the corner (-B, -B).
    ends = parts.cumsum(-1)
    unit = 2 * bound / ends[..., -1]
    place = (points + bound) / unit[..., axis]
    # The last knot is not searched, so that a point on the edge, or NaN, has a bin too.
    k = (place[..., None] >= ends[..., axis, :-1]).sum(-1, keepdim=True)
    both = k[..., None].expand(*k.shape[:-1], 2, 1)
    width, height = (parts.gather(-1, both).squeeze(-1) * unit).unbind(-1)
    x_end, y_end = (ends.gather(-1, both).squeeze(-1) * unit - bound).unbind(-1)
    slopes = pad(inner, (1, 1)).gather(-1, torch.cat((k, k + 1), -1))
    left, right = positive(slopes).unbind(-1)
    s = height / width
    return Bin(x_end - width, y_end - height, width, height, s, left, right)
