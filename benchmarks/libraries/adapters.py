"""One way to call a flow, whichever library it comes from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any

import normflows
import torch
from torch import Tensor, nn

from implementations.core.flow import Flow

Mapped = tuple[Tensor, Tensor]


class Model(nn.Module, ABC):
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


class Ours(Model):
    """A flow of this project."""

    flow: Flow

    def normalise(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return self.flow.bijection(x, context)

    def generate(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return self.flow.bijection.inverse(z, context)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.flow.log_prob(x, context)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        return self.flow.sample(n, context)

    def prepare(self, x: Tensor, context: Tensor | None = None) -> None:
        self.flow.initialise(x, context)


class Zuko(Model):
    """A flow of zuko, which builds a distribution for each context."""

    def normalise(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return self.flow(context).transform.call_and_ladj(x)

    def generate(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return self.flow(context).transform.inv.call_and_ladj(z)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.flow(context).log_prob(x)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        return self.flow(context).sample((n,) if context is None else ())


class Nflows(Model):
    """A flow of nflows."""

    def normalise(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return self.flow._transform(x, context)

    def generate(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return self.flow._transform.inverse(z, context)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.flow.log_prob(x, context)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        if context is None:
            return self.flow.sample(n)
        return self.flow.sample(1, context).flatten(0, 1)


class Normflows(Model):
    """A flow of normflows, which calls forward what goes from noise to data."""

    flow: normflows.NormalizingFlow

    def normalise(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return self.flow.inverse_and_log_det(x, *_given(context))

    def generate(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return self.flow.forward_and_log_det(z, *_given(context))

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.flow.log_prob(x, *_given(context))

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        with torch.no_grad():
            return self.flow.sample(n, *_given(context))[0]


def _given(context: Tensor | None) -> tuple[Tensor, ...]:
    return () if context is None else (context,)
