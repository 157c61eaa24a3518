"""The tasks that are timed: evaluate points, draw points, take a training step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import Adam

if TYPE_CHECKING:
    from scripts.results.forms import Task

Run = Callable[[], object]
LogProb = Callable[[Tensor], Tensor]
Sample = Callable[[int], Tensor]


def tasks(
    model: nn.Module, log_prob: LogProb, sample: Sample, x: Tensor
) -> Mapping[Task, Run]:
    """Return what to run for each task, on the points x or as many."""
    optimiser = Adam(model.parameters(), 1e-3, fused=True)

    @torch.no_grad()
    def evaluate() -> None:
        log_prob(x)

    @torch.no_grad()
    def draw() -> None:
        sample(len(x))

    def step() -> None:
        loss = -log_prob(x).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return {"log_density": evaluate, "sample": draw, "training_step": step}
