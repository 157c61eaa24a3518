"""One way to call a flow, whichever library it comes from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

# Of the splines in all libraries, as in their paper.
BINS, BOUND = 8, 3.0

Mapped = tuple[Tensor, Tensor]


class FlowModel(nn.Module, ABC):
    """A density with its bijection: data x to noise z and back, with log-determinants.

    Each method is one call of the library's own, and nothing else: what goes wrong in
    it goes wrong for the library's users.
    """

    def __init__(self, flow: Any) -> None:
        super().__init__()
        self.flow = flow

    @abstractmethod
    def normalise(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        """z and log|det ∂z/∂x|, of shape (batch,)."""

    @abstractmethod
    def generate(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        """x and log|det ∂x/∂z|, of shape (batch,)."""

    @abstractmethod
    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """log p(x), of shape (batch,)."""

    @abstractmethod
    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        """Draw n events."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """log p(x), so that the model can be called."""
        return self.log_prob(x, context)

    def prepare(self, x: Tensor, context: Tensor | None = None) -> None:
        """Set what depends on a first batch, as the first call does elsewhere."""
        self.train()
        # Planar and radial flows of normflows have one direction, and nothing to set.
        with torch.no_grad(), suppress(NotImplementedError):
            self.log_prob(x, context)


# Takes the events' dimension, the number of layers, the width of networks' hidden
# layers, and the context's width.
Builder = Callable[[int, int, int, int], FlowModel]
