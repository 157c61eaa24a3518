"""One fit: a flow of one library, trained on one target, looked at as it goes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.accuracy.targets import Target, targets
from benchmarks.libraries.families import WHOLE
from benchmarks.libraries.model import FlowModel
from implementations.core.nets import size
from scripts.results.forms import Course

LAYERS = {
    "real_nvp": 6,
    "maf": 4,
    "nsf": 3,
    "nsf_autoregressive": 3,
}
# Torch's random numbers are the process's: a worker of several threads takes turns.
_TURN = threading.Lock()


@dataclass(frozen=True)
class Budget:
    """The budget of every fit: Adam with a falling rate (a cosine), fresh batches."""

    checkpoints: tuple[int, ...]
    batch: int
    held_out: int
    rate: float = 5e-3

    @property
    def steps(self) -> int:
        """The last checkpoint is the end."""
        return self.checkpoints[-1]


class Fit(NamedTuple):
    """One of the fits that are asked for."""

    target: str
    family: str
    library: str
    width: int
    seed: int


def run(fit: Fit, budget: Budget) -> Course:
    """Fit one flow; all of a seed see the same batches and the same held-out points."""
    with _TURN:
        return _run(fit, budget)


def _run(fit: Fit, budget: Budget) -> Course:
    torch.set_num_threads(1)
    target = targets()[fit.target]
    torch.manual_seed(10_000 + fit.seed)
    x, context = target.draw(budget.held_out)
    log_p = target.density.log_prob(x, context)
    torch.manual_seed(fit.seed)
    build = WHOLE[fit.family][fit.library]
    model = build(target.dim, LAYERS[fit.family], fit.width, target.density.context)
    torch.manual_seed(fit.seed)
    model.prepare(*target.draw(budget.batch))
    seconds, gaps = [], []
    for so_far in train(model, target, budget):
        seconds.append(round(so_far, 4))
        gaps.append(gap(model, log_p, x, context))
    return Course(
        target=fit.target,
        family=fit.family,
        library=fit.library,
        seed=fit.seed,
        parameters=size(model),
        seconds=tuple(seconds),
        gaps=tuple(gaps),
    )


def train(model: FlowModel, target: Target, budget: Budget) -> Iterator[float]:
    """Train, and yield the processor seconds that it took at each checkpoint.

    They are this thread's: one thread trains, and others of its worker may be at work.
    """
    optimiser = torch.optim.Adam(model.parameters(), budget.rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, budget.steps)
    model.train()
    seconds = 0.0
    for step in range(1, budget.steps + 1):
        x, context = target.draw(budget.batch)
        start = time.thread_time()
        loss = -model.log_prob(x, context).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        seconds += time.thread_time() - start
        if step in budget.checkpoints:
            yield seconds


@torch.no_grad()
def gap(
    model: FlowModel, log_p: Tensor, x: Tensor, context: Tensor | None
) -> float | None:
    """Mean log p - log q, in nats; None where it is not finite."""
    model.eval()
    value = (log_p - model.log_prob(x, context)).double().mean().item()
    model.train()
    return round(value, 5) if math.isfinite(value) else None
