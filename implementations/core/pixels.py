"""Pixels as real numbers: noise, logits, and what a log-likelihood is in bits.

A flow sees z = logit(α + (1 - 2α) x) of pixels x = (level + noise) / levels in [0, 1).
Papers report log p(z), "in logit space" and in nats (MAF, Table 2), or what it comes to
for the levels, in bits per pixel.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

MNIST_ALPHA, CIFAR_ALPHA = 1e-6, 0.05
"""α of MAF's authors, for pixels of MNIST and of CIFAR-10."""


def with_noise(
    images: Tensor, levels: int = 256, generator: torch.Generator | None = None
) -> Tensor:
    """Spread levels over [0, 1): x = (level + u) / levels, u uniform in [0, 1).

    For images of any shape and dtype; returns floats of the default dtype. Whatever the
    noise, the level can be read off: it is ⌊levels · x⌋.
    """
    dtype, device = torch.get_default_dtype(), images.device
    u = torch.rand(images.shape, generator=generator, dtype=dtype, device=device)
    low = images.to(dtype)
    # In single precision, 254 + 0.999999 is 255.
    below = torch.nextafter(low + 1, low)
    return (low + u).minimum(below) / levels


def to_logits(x: Tensor, alpha: float) -> Tensor:
    """z = logit(α + (1 - 2α) x), for x from 0 to 1."""
    # Near 1, torch.logit would lose 1 - p to rounding.
    return (alpha + (1 - 2 * alpha) * x).log() - (
        alpha + (1 - 2 * alpha) * (1 - x)
    ).log()


def to_pixels(z: Tensor, alpha: float) -> Tensor:
    """x = (σ(z) - α) / (1 - 2α), the inverse; beyond [0, 1] where z is no pixel's."""
    return (z.sigmoid() - alpha) / (1 - 2 * alpha)


def log_slope(z: Tensor, alpha: float) -> Tensor:
    """log|det ∂z/∂x| of `to_logits` at its image z, of shape (batch,), in nats."""
    slopes = softplus(z) + softplus(-z) + math.log(1 - 2 * alpha)
    return slopes.flatten(1).sum(1)


def pixel_log_prob(log_prob: Tensor, z: Tensor, alpha: float) -> Tensor:
    """log p(x) = log p(z) + log|det ∂z/∂x|: from logit space to pixels in [0, 1]."""
    return log_prob + log_slope(z, alpha)


def bits_per_pixel(log_prob: Tensor, dim: int, levels: int = 256) -> Tensor:
    """log₂(levels) - log₂ p(x) / dim, of shape (batch,), for log p(x) in nats.

    x are pixels in [0, 1], with noise; `dim` is the number of levels in an image, three
    for each coloured pixel. It bounds the bits that the levels take from above.
    """
    return math.log2(levels) - log_prob / (dim * math.log(2))
