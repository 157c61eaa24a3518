"""Networks that conditioners may use."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

# Up to so many rows, pieces cost more than they save.
ROWS = 4096


def in_chunks(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """f(x), on a CPU in chunks of ROWS rows; f must treat each row on its own.

    What is freed after one chunk serves the next; larger pieces of memory are fetched
    from the system each time. GPUs and compilers do better with all rows.
    """
    whole = x.device.type != "cpu" or torch.compiler.is_compiling()
    if whole or x.ndim == 1 or x.shape[0] <= ROWS:
        return f(x)
    return torch.cat([f(rows) for rows in x.split(ROWS)])


class MLP(nn.Sequential):
    """Layers one after another, each of which treats every row on its own."""

    def forward(self, input: Tensor) -> Tensor:
        return in_chunks(super().forward, input)


def relu() -> nn.Module:
    """max(0, h), in the place of h, which no gradient needs: half of the memory."""
    return nn.ReLU(inplace=True)


def mlp(
    n_in: int,
    n_out: int,
    hidden: Sequence[int] = (64, 64),
    activation: Callable[[], nn.Module] = relu,
) -> MLP:
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
    return MLP(*layers[:-1])


def size(model: nn.Module) -> int:
    """Count the parameters."""
    return sum(parameter.numel() for parameter in model.parameters())
