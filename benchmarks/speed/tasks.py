"""The tasks that are timed: evaluate points, draw points, take a training step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Adam

if TYPE_CHECKING:
    from scripts.results.forms import Task

Run = Callable[[], object]


class Density(Protocol):
    """A flow of any library, or a base."""

    def log_prob(self, x: Tensor, /) -> Tensor: ...
    def sample(self, n: int, /) -> Tensor: ...
    def parameters(self) -> Iterable[Parameter]: ...


def tasks(model: Density, x: Tensor) -> Mapping[Task, Run]:
    """Return what to run for each task, on the points x or as many."""
    optimiser = Adam(model.parameters(), 1e-3, fused=True)

    @torch.no_grad()
    def evaluate() -> None:
        model.log_prob(x)

    @torch.no_grad()
    def draw() -> None:
        model.sample(len(x))

    def step() -> None:
        loss = -model.log_prob(x).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return {"log_density": evaluate, "sample": draw, "training_step": step}
