"""A flow: a base distribution seen through a bijection."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from implementations.core.bijection import (
    Bijection,
    Shape,
    check_context,
    check_count,
    check_event,
)

LOG_2PI = math.log(2 * math.pi)


class Base(nn.Module, ABC):
    """A distribution that can be sampled and whose log-density is known.

    It samples in the dtype and on the device that `.to`, `.double` … gave it.
    """

    zero: Tensor

    def __init__(self, shape: Shape, context: int = 0) -> None:
        super().__init__()
        self.shape = shape
        self.context = context
        # Holds dtype and device, also for a flow that is built on "meta" and loaded.
        self.register_buffer("zero", torch.zeros(()))

    @abstractmethod
    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """log p(z), in nats, of shape (batch,)."""

    @abstractmethod
    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        """Draw n events, of shape (n, *shape)."""


class StandardNormal(Base):
    """log p(z) = -½ Σ (z² + log 2π)."""

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        return -0.5 * (z.square() + LOG_2PI).flatten(1).sum(1)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        return self.zero.new_empty(n, *self.shape).normal_()


class Flow(nn.Module):
    """p(x) = p_base(f(x)) |det ∂f/∂x|: the density of x = f⁻¹(z) with z from the base.

    Calling the flow is calling `log_prob`, which is what DistributedDataParallel,
    torch.export and torch.func.functional_call need.

    Raises:
        ValueError: when base and bijection do not fit; from its methods, when x, n or
            context are not what the flow was built for.
    """

    def __init__(self, base: Base, bijection: Bijection) -> None:
        if base.shape != bijection.z_shape:
            raise ValueError(
                f"Flow: expected a base of shape {bijection.z_shape}, got {base.shape}"
            )
        super().__init__()
        self.base = base
        self.bijection = bijection
        self.context = max(base.context, bijection.context)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """log p(x), as `log_prob`."""
        return self.log_prob(x, context)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """log p(x), or log p(x | context), in nats, of shape (batch,)."""
        check_event("Flow", "x", x, self.bijection.x_shape)
        self._check(context, x.shape[0])
        z, log_det = self.bijection(x, context)
        return self.base.log_prob(z, context) + log_det

    @torch.no_grad()
    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        """Draw n events; a context has a row for each of them."""
        check_count("Flow", n)
        self._check(context, n)
        return self.bijection.inverse(self.base.sample(n, context), context)[0]

    def rsample_and_log_prob(
        self, n: int, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw n events with gradients, and their log-densities, in one pass."""
        check_count("Flow", n)
        self._check(context, n)
        z = self.base.sample(n, context)
        x, log_det = self.bijection.inverse(z, context)
        return x, self.base.log_prob(z, context) - log_det

    def initialise(self, x: Tensor, context: Tensor | None = None) -> None:
        """Set what depends on a first batch of data."""
        self.bijection.initialise(x, context)

    def _check(self, context: Tensor | None, n: int) -> None:
        if self.context:
            check_context("Flow", context, (n, self.context))
        elif context is not None:
            raise ValueError(
                f"Flow: expected no context, got one of shape {tuple(context.shape)}"
            )
