"""Batch normalisation as MAF has it: by the batch, and in the end by all data."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from implementations.core.bijection import Bijection, Compose, Mapped
from implementations.core.flow import Flow
from implementations.real_nvp import BatchNorm
from implementations.scale.processes import total


class GlobalBatchNorm(Bijection):
    """z = (x − m) (v + ε)^(−½) ⊙ exp γ + β (Papamakarios et al., 2017, appendix B).

    In training m and v are mean and variance of the batch, of all processes together.
    In evaluation they are those that `settle` found in the whole training set. The
    log-determinant takes them as given.

    Raises:
        ValueError: in training, when there is one event only.
    """

    steady = False
    mean: Tensor
    var: Tensor

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__((dim,))
        self.eps = eps
        self.gamma = nn.Parameter(torch.zeros(dim))
        self.beta = nn.Parameter(torch.zeros(dim))
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("var", torch.ones(dim))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        mean, var = self.mean, self.var
        if self.training:
            mean, var = moments_of_all([x], x.dtype)
        log_scale = self.gamma - 0.5 * (var + self.eps).log()
        z = (x - mean) * log_scale.exp() + self.beta
        return z, log_scale.sum().expand(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        log_scale = self.gamma - 0.5 * (self.var + self.eps).log()
        x = (z - self.beta) * (-log_scale).exp() + self.mean
        return x, -log_scale.sum().expand(len(z))


def moments_of_all(
    parts: Sequence[Tensor], dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Mean and variance (over n, not n - 1) of the rows of all processes."""
    n = parts[0].new_tensor([sum(map(len, parts))], dtype=dtype)
    sums = torch.stack([x.sum(0, dtype=dtype) for x in parts]).sum(0)
    sums = total(torch.cat((sums, n)))
    n = sums[-1].detach()
    if n < 2:
        raise ValueError("GlobalBatchNorm: expected more than 1 event in training")
    mean = sums[:-1] / n
    squares = torch.stack([(x - mean).square().sum(0) for x in parts]).sum(0)
    return mean, total(squares) / n


def normalises(model: nn.Module) -> bool:
    """True where the model has `GlobalBatchNorm`."""
    return any(isinstance(module, GlobalBatchNorm) for module in model.modules())


def of_own_batch(model: nn.Module) -> list[str]:
    """Names of the layers whose statistics are those of one process's rows."""
    kinds = (BatchNorm, nn.modules.batchnorm._BatchNorm)
    return [name for name, each in model.named_modules() if isinstance(each, kinds)]


@torch.no_grad()
def settle(model: nn.Module, x: Tensor, context: Tensor | None, rows: int) -> None:
    """Set the statistics to those of the whole training set, layer after layer.

    Each process has its share of the set, x of shape (n, dim), and a context of as many
    rows, or none; `rows` are computed at once. Costs one evaluation of all of it.

    Raises:
        TypeError: when such a layer is not one of a flow's layers in a row.
    """
    if not normalises(model):
        return
    if not (isinstance(model, Flow) and isinstance(model.bijection, Compose)):
        raise TypeError("settle: expected a Flow whose bijection is a Compose")
    model.eval()
    last = max(k for k, f in enumerate(model.bijection.layers) if normalises(f))
    # One copy, written over by each layer: fresh memory takes longer than the layer.
    parts = x.clone().split(rows)
    contexts = [None] * len(parts) if context is None else context.split(rows)
    for k, layer in enumerate(model.bijection.layers):
        if isinstance(layer, GlobalBatchNorm):
            mean, var = moments_of_all(parts, torch.double)
            layer.mean.copy_(mean)
            layer.var.copy_(var)
        elif normalises(layer):
            raise TypeError(f"settle: layer {k} has a GlobalBatchNorm inside")
        if k < last:
            for part, given in zip(parts, contexts, strict=True):
                part.copy_(layer(part, given)[0])
