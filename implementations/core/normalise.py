"""Batch normalisation by running averages, and the same in fewer passes over x.

All take x of shape (batch, channels, …), and averages of shape (channels, 1, …).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from implementations.core.bijection import Mapped
from implementations.core.transforms import plain


def normalised(x: Tensor, mean: Tensor, var: Tensor, eps: float) -> Mapped:
    """z = (x - μ) / √(σ² + ε), and the one log|det ∂z/∂x| of all x, of shape ()."""
    scale = (var + eps).rsqrt()
    return _affine(x, scale, -mean * scale)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (over n, not n - 1) of each channel."""
    axes = [0, *range(2, x.ndim)]
    var, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    return mean[0], var[0]


def averaged(x: Tensor, mean: Tensor, var: Tensor, rho: float, eps: float) -> Mapped:
    """Take x into the averages, in place, and normalise it by them.

    μ ← ρ μ + (1 - ρ) μ̂, where μ̂ is the mean of x, and σ² likewise; gradients flow
    through μ̂ and σ̂². Returns what `normalised` does.
    """
    known = x.device.type in ("cpu", "cuda") and x.dtype in (torch.float, torch.double)
    if not known or not plain(x, mean, var):
        z, log_det, new_mean, new_var = by_formula(x, rho * mean, rho * var, rho, eps)
        mean.copy_(new_mean.detach())
        var.copy_(new_var.detach())
        return z, log_det
    # Over the first axis, `var_mean` takes ten times as long.
    found = torch.batch_norm_update_stats(x.detach(), None, None, 0.0)
    batch_mean, batch_var = (each.view(mean.shape) for each in found)
    mean.lerp_(batch_mean, 1 - rho)
    var.lerp_(batch_var, 1 - rho)
    normalise: Any = _Averaged.apply
    return normalise(x, batch_mean, batch_var, mean, var, rho, eps)


def by_formula(
    x: Tensor, mean: Tensor, var: Tensor, rho: float, eps: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`averaged`, as it is written, of ρ μ and ρ σ²; returns the new averages too."""
    batch_mean, batch_var = moments(x)
    mean, var = mean + (1 - rho) * batch_mean, var + (1 - rho) * batch_var
    return *normalised(x, mean, var, eps), mean, var


class _Averaged(torch.autograd.Function):
    """`normalised`, with gradients through the batch's own share of the averages."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        batch_mean: Tensor,
        batch_var: Tensor,
        mean: Tensor,
        var: Tensor,
        rho: float,
        eps: float,
    ) -> Mapped:
        scale = (var + eps).rsqrt()
        shift = -mean * scale
        ctx.save_for_backward(x, batch_mean, batch_var, scale, shift)
        ctx.rho, ctx.eps = rho, eps
        return _affine(x, scale, shift)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        dz, d_log_det = gradients
        x, batch_mean, batch_var, scale, shift = ctx.saved_tensors
        share = 1 - ctx.rho
        if torch.is_grad_enabled():  # This gradient is to have a gradient.
            # The averages before, times ρ.
            mean = -shift / scale - share * batch_mean
            var = scale**-2 - ctx.eps - share * batch_var
            outputs = by_formula(x, mean, var, ctx.rho, ctx.eps)[:2]
            (dx,) = torch.autograd.grad(outputs, x, gradients, create_graph=True)
            return dx, *6 * (None,)
        of_shift = dz.sum_to_size(scale.shape)
        # z changes as log(scale) does by scale · (x - μ) = scale · x + shift.
        of_log_scale = torch.addcmul(
            shift * of_shift, scale, (dz * x).sum_to_size(scale.shape)
        )
        area = x[0, 0].numel()
        weight = -share / (len(x) * area)
        by_x = (of_log_scale + area * d_log_det) * scale.square() * weight
        rest = torch.addcmul(weight * scale * of_shift, batch_mean, by_x, value=-1)
        return torch.addcmul(rest, x, by_x).addcmul_(dz, scale), *6 * (None,)


def _affine(x: Tensor, scale: Tensor, shift: Tensor) -> Mapped:
    z = torch.addcmul(shift, x, scale)
    return z, scale.log().expand(x.shape[1:]).sum()
