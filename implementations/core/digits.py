"""scikit-learn's handwritten digits: 1,797 images of 8×8 pixels with 17 levels."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from implementations.core.environment import device

LEVELS, PIXELS = 17, 64


class Digits(NamedTuple):
    """Images of shape (n, 64), levels 0 to 16 as floats, and which digits they show."""

    images: Tensor
    labels: Tensor


def digits() -> tuple[Digits, Digits, Digits]:
    """Return 1297 digits to train on, 250 to validate and 250 to test: always these."""
    images, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    x = torch.from_numpy(images).float()[order].to(device())
    y = torch.from_numpy(labels)[order].to(device())
    parts = zip(x.split([1297, 250, 250]), y.split([1297, 250, 250]), strict=True)
    train, validation, test = (Digits(*part) for part in parts)
    return train, validation, test


def dequantise(images: Tensor, draws: int = 1, levels: int = LEVELS) -> Tensor:
    """Spread each of the levels over its part of [0, 1], for images of any shape.

    All images `draws` times, one after another. The density of such data bounds the
    probability of the levels from below.
    """
    images = images.repeat(draws, *(1 for _ in images.shape[1:]))
    return (images + torch.rand_like(images)) / levels


def bits_per_dim(log_prob: Tensor, dim: int = PIXELS, levels: int = LEVELS) -> Tensor:
    """Average bits for each of `dim` levels, from log-densities of dequantised images.

    Without more words, those of digits.
    """
    return (dim * math.log(levels) - log_prob.mean()) / (dim * math.log(2))


def baselines(train: Tensor, test: Tensor) -> dict[str, float]:
    """Return bits per dimension, on the images `test`, of what needs no training."""
    x, noisy = dequantise(train, 20), dequantise(test, 20)
    each = Normal(x.mean(0), x.std(0)).log_prob(noisy).sum(1)
    joint = MultivariateNormal(x.mean(0), x.T.cov()).log_prob(noisy)
    # Every level counts once more than seen, so that none is impossible.
    counts = 1 + (train[..., None] == torch.arange(LEVELS, device=train.device)).sum(0)
    frequencies = (counts / counts.sum(1, keepdim=True)).gather(1, test.long().T)
    return {
        "uniform": math.log2(LEVELS),
        "Gaussian per pixel": bits_per_dim(each).item(),
        "full Gaussian": bits_per_dim(joint).item(),
        "frequencies per pixel": -frequencies.log2().mean().item(),
    }
