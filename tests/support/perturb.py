"""Weights and inputs that are random, but the same in every run."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


def perturbed(module: M, seed: int = 0) -> M:
    """Return the module in float64 and evaluation mode, with random weights."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            fan_in = max(1, parameter.shape[1:].numel())
            parameter.copy_(torch.randn_like(parameter) / fan_in**0.5)
    return module.double().eval()


def noise(*shape: int, seed: int = 1) -> Tensor:
    """Draw from N(0, 1) in float64, without touching torch's own generator."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)
