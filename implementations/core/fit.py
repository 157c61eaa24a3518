"""Training: one function."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import trange

from implementations.core.environment import smoke

SMOKE_STEPS = 3


@dataclass(frozen=True)
class History:
    """How training went: the loss of every step, and (step, value) of validations."""

    loss: list[float]
    validation: list[tuple[int, float]]


def fit(
    model: nn.Module,
    loss: Callable[..., Tensor],
    steps: int,
    draw: Callable[[], Tensor | tuple[Tensor, ...]] = tuple,
    *,
    lr: float = 1e-3,
    params: Iterable[Any] | None = None,
    clip: float = math.inf,
    validate: Callable[[], Tensor] | None = None,
    every: int = 100,
    compile: bool = False,
) -> History:
    """Minimise `loss(*draw())` by Adam, its rate falling to 0 on a cosine.

    Leaves the model in evaluation mode and, where `validate` is given, with the weights
    for which that was lowest. A model that has `initialise` gets a first batch for it,
    where batches are drawn.

    Args:
        model: what is trained; gradients are clipped over all of it.
        loss: returns a scalar. It may be compiled, so drawing data belongs into `draw`.
        steps: how many; SMOKE=1 cuts them to a few.
        draw: returns a batch, or a tuple of what `loss` takes; nothing by default.
        lr: Adam's rate at the start.
        params: what torch.optim takes, where not all of the model learns alike.
        clip: the largest norm of a gradient.
        validate: returns a scalar, without gradients, in evaluation mode.
        every: steps between validations; the last step always has one.
        compile: whether to compile `loss`.

    Raises:
        FloatingPointError: when the loss was not finite, saying at which step.
    """
    steps = min(steps, SMOKE_STEPS) if smoke() else steps
    initialise = getattr(model, "initialise", None)
    if initialise and (batch := _tuple(draw())):
        initialise(*batch)
    optimiser = torch.optim.Adam(params or model.parameters(), lr, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    objective = torch.compile(loss) if compile else loss
    best = _Best(model, validate)
    losses: list[Tensor] = []
    model.train()
    for step in trange(1, steps + 1, disable=None, leave=False):
        value = objective(*_tuple(draw()))
        optimiser.zero_grad()
        value.backward()
        if clip < math.inf:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimiser.step()
        schedule.step()
        losses.append(value.detach())
        if step % every == 0 or step == steps:
            best.look(step)
    best.restore()
    model.eval()
    return History(_finite(losses), best.seen)


class _Best:
    """Remembers the weights for which `validate` was lowest."""

    def __init__(self, model: nn.Module, validate: Callable[[], Tensor] | None) -> None:
        self.model, self.validate = model, validate
        self.seen: list[tuple[int, float]] = []
        self.weights: dict[str, Tensor] = {}

    @torch.no_grad()
    def look(self, step: int) -> None:
        if self.validate is None:
            return
        self.model.eval()
        value = float(self.validate())
        self.model.train()
        if all(value < seen for _, seen in self.seen):
            state = self.model.state_dict()
            self.weights = {name: tensor.clone() for name, tensor in state.items()}
        self.seen.append((step, value))

    def restore(self) -> None:
        if self.weights:
            self.model.load_state_dict(self.weights)


def _tuple(batch: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return batch if isinstance(batch, tuple) else (batch,)


def _finite(losses: list[Tensor]) -> list[float]:
    values = torch.stack(losses).tolist()
    for step, value in enumerate(values, 1):
        if not math.isfinite(value):
            raise FloatingPointError(f"the loss is {value} at step {step}")
    return values
