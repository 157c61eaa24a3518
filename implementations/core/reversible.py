"""Backpropagation that stores no activations: inverses bring them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from implementations.core.bijection import Bijection, Compose, Mapped
from implementations.core.transforms import transformed


class Reversible(Bijection):
    """`Compose`, for whose backward pass only the last output is held.

    Memory does not grow with the number of layers, and a training step takes two thirds
    longer: going back, the inverse of each layer restores its input, from which the
    layer is run once more. Layers must do the same every time: no dropout, no
    statistics of the batch. Gradients of gradients need `Compose`; torch.compile,
    torch.func and forward-mode derivatives get it here, with the memory it takes.
    """

    def __init__(self, *layers: Bijection) -> None:
        chain = Compose(*layers)
        super().__init__(chain.x_shape, chain.z_shape, chain.context)
        self.chain = chain

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        if transformed():
            return self.chain(x, context)
        return reversible(self.chain.layers, x, context)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return self.chain.inverse(z, context)

    def initialise(self, x: Tensor, context: Tensor | None = None) -> None:
        self.chain.initialise(x, context)


def reversible(
    layers: Sequence[Bijection], x: Tensor, context: Tensor | None = None
) -> Mapped:
    """z and log|det ∂z/∂x| of all layers, as `Compose` returns them.

    What is held for the backward pass does not grow with their number.
    """
    weights = (weight for layer in layers for weight in _learned(layer))
    return _Recomputed.apply(layers, context, x, *weights)


class _Recomputed(torch.autograd.Function):
    """The layers one after another, with a backward pass that inverts them."""

    @staticmethod
    def forward(
        ctx: Any,
        layers: Sequence[Bijection],
        context: Tensor | None,
        x: Tensor,
        *weights: Tensor,
    ) -> Mapped:
        z, log_det = Compose(*layers)(x, context)
        ctx.layers = layers
        ctx.save_for_backward(z, context)
        return z, log_det

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        (z, context), (grad_z, grad_log_det) = ctx.saved_tensors, grads
        steered = [context] if ctx.needs_input_grad[1] else []
        of_context = [torch.zeros_like(c) for c in steered]
        found: list[Tensor] = []
        for layer in reversed(ctx.layers):
            x = layer.inverse(z, context)[0].detach().requires_grad_()
            with torch.enable_grad():
                z, log_det = layer(x, context)
                value = (grad_z * z).sum() + (grad_log_det * log_det).sum()
            grad_z, *others = torch.autograd.grad(
                value, (x, *steered, *_learned(layer)), materialize_grads=True
            )
            of_context = [
                total + term for total, term in zip(of_context, others, strict=False)
            ]
            found = [*others[len(steered) :], *found]
            z = x.detach()
        return None, of_context[0] if of_context else None, grad_z, *found


def _learned(layer: nn.Module) -> list[nn.Parameter]:
    return [weight for weight in layer.parameters() if weight.requires_grad]
