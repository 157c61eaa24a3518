"""Networks that conditioners may use."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn


def relu() -> nn.Module:
    """max(0, h), in the place of h, which no gradient needs: half of the memory."""
    return nn.ReLU(inplace=True)


def mlp(
    n_in: int,
    n_out: int,
    hidden: Sequence[int] = (64, 64),
    activation: Callable[[], nn.Module] = relu,
) -> nn.Sequential:
    """Build a multi-layer perceptron whose output is 0 until it is trained.

    A flow whose networks start at 0 starts at a known place (mostly the identity),
    however deep it is.
    """
    layers: list[nn.Module] = []
    with warnings.catch_warnings():
        # Half of a one-dimensional event is empty, and that is fine.
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")
        for before, after in pairwise((n_in, *hidden, n_out)):
            layers += [nn.Linear(before, after), activation()]
    last = layers[-2]
    assert isinstance(last, nn.Linear)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers[:-1])


def size(model: nn.Module) -> int:
    """Count the parameters."""
    return sum(parameter.numel() for parameter in model.parameters())
