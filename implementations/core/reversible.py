"""Backpropagation that stores no activations: inverses bring them back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
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
    statistics that move. Gradients of gradients need `Compose`. Under
    torch.compile, torch.func and forward-mode derivatives it computes as `Compose`
    does, with the same memory.

    Raises:
        ValueError: when a layer has running statistics or dropout.
    """

    def __init__(self, *layers: Bijection) -> None:
        for number, layer in enumerate(layers, 1):
            for module in layer.modules():
                if not _steady(module):
                    raise ValueError(
                        "Reversible: expected layers that do the same every time, got "
                        f"{type(module).__name__} in layer {number}: take Compose"
                    )
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

    The memory held for the backward pass does not grow with their number.
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
        ctx.layers, ctx.autocast = layers, _autocast(x.device.type)
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
            with ctx.autocast():
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


def _steady(module: nn.Module) -> bool:
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return False
    if isinstance(module, Bijection):
        return module.steady
    return not getattr(module, "track_running_stats", False)


def _autocast(device: str) -> Callable[[], AbstractContextManager[Any]]:
    """Return what brings today's autocast back, so that layers do the same again.

    Its cache stays off: what the inverse left in it would pass no gradients.
    """
    if not torch.amp.is_autocast_available(device):
        return nullcontext
    return partial(
        torch.autocast,
        device,
        torch.get_autocast_dtype(device),
        torch.is_autocast_enabled(device),
        cache_enabled=False,
    )


def _learned(layer: nn.Module) -> list[nn.Parameter]:
    return [weight for weight in layer.parameters() if weight.requires_grad]
