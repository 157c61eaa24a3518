"""The loss that is learned from, and the log-densities that are reported."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from implementations.made import MADE
from implementations.scale.inputs import Rows
from implementations.scale.norm import normalises, of_own_batch
from implementations.scale.recipes import TrainingPlan

# Rows whose log-density is computed at once, where nothing is learned.
AT_ONCE = 1000


class RecipeError(ValueError):
    """A recipe cannot be trained so, or not on from here; the message says why."""


class Objective(nn.Module):
    """−log p(x | context), of shape (batch,): what DistributedDataParallel wraps.

    A MADE of several masks is evaluated under mask k.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, context: Tensor | None, k: int) -> Tensor:
        if isinstance(self.model, MADE):
            return -self.model.log_prob_under(k, x, context)
        return -log_prob(self.model, x, context)


def masks(model: nn.Module) -> int:
    """The number of masks that take turns."""
    return model.m.masks if isinstance(model, MADE) else 1


def log_prob(model: Any, x: Tensor, context: Tensor | None) -> Tensor:
    """log p(x | context), of shape (batch,), in nats."""
    return model.log_prob(x) if context is None else model.log_prob(x, context)


@torch.no_grad()
def log_probs(model: nn.Module, rows: Rows) -> Tensor:
    """log p of every row, of shape (n,), in float64; leaves the model in evaluation."""
    model.eval()
    starts = range(0, len(rows.x), AT_ONCE)
    parts = (rows.take(slice(start, start + AT_ONCE)) for start in starts)
    values = [log_prob(model, *part).double() for part in parts]
    return torch.cat([rows.x.new_zeros(0, dtype=torch.double), *values])


def marginal(model: nn.Module, x: Tensor, classes: int) -> Tensor:
    """log p(x) = log mean over classes of p(x | class), each as likely (MAF, §4.2)."""
    labels = torch.eye(classes, device=x.device)
    each = [
        log_probs(model, Rows(x, label.expand(len(x), classes))) for label in labels
    ]
    return torch.stack(each).logsumexp(0) - math.log(classes)


def optimiser_of(plan: TrainingPlan, model: nn.Module) -> torch.optim.Optimizer:
    """Build Adam, or Adagrad with the 1e-6 of MADE's authors inside of the root."""
    parameters = list(model.parameters())
    if plan.optimiser == "adam":
        return torch.optim.Adam(
            parameters, plan.rate, weight_decay=plan.decay, fused=True
        )
    return torch.optim.Adagrad(
        parameters,
        plan.rate,
        weight_decay=plan.decay,
        initial_accumulator_value=1e-6,
        eps=0.0,
    )


def refuse_if_statistics_differ(
    name: str, model: nn.Module, processes: int, rows: int
) -> None:
    """Raise RecipeError where layers would see other statistics than in one process."""
    if own := of_own_batch(model):
        if processes > 1 or rows:
            raise RecipeError(
                f"{name}: {own[0]} and {len(own) - 1} other layers normalise by the "
                "rows that one process has at once, so the model would be another. "
                "Run it in one process, without --rows"
            )
    if rows and normalises(model):
        raise RecipeError(
            f"{name}: its batch normalisation needs a process's whole share of a batch "
            "at once. Leave --rows out; more processes make shares smaller"
        )
