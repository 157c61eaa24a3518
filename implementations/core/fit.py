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
    """The loss of every step of a training, and (step, value) of its validations."""

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

    However it ends, it leaves the model in evaluation mode and, where `validate` was
    finite, with the weights for which that was lowest. A model that has `initialise`
    gets a first batch for it, where batches are drawn.

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
        compile: whether to compile `loss`. The first step then takes up to a minute
            longer, so a short training loses. Later steps get faster, on a CPU by a
            tenth to seven times: the Compare page of the website has each flow both
            ways, under "Compiled". A flow for which this is slower says so.

    Raises:
        FloatingPointError: when a loss or a gradient is not finite. The first such step
            is not taken, and none after it; a GPU, which is not waited for at each
            step, tells at the next validation.
        ValueError: when `steps` or `every` is less than 1.
    """
    for name, value in (("steps", steps), ("every", every)):
        if value < 1:
            raise ValueError(f"fit: expected `{name}` to be at least 1, got {value}")
    steps = min(steps, SMOKE_STEPS) if smoke() else steps
    initialise = getattr(model, "initialise", None)
    if initialise and (batch := _tuple(draw())):
        initialise(*batch)
    optimiser = torch.optim.Adam(params or model.parameters(), lr, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    objective = torch.compile(loss) if compile else loss
    best, guard = _Best(model, validate), _Guard(model, optimiser)
    losses: list[Tensor] = []
    model.train()
    try:
        for step in trange(1, steps + 1, disable=None, leave=False):
            guard.keep_statistics(step)
            value = objective(*_tuple(draw()))
            optimiser.zero_grad()
            value.backward()
            if clip < math.inf:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            losses.append(value.detach())
            guard.check(losses[-1])
            stops = step % every == 0 or step == steps
            if stops or guard.reads_at_once:
                guard.refuse(losses)
            optimiser.step()
            schedule.step()
            if stops:
                best.update(step)
    finally:
        best.restore()
        model.eval()
    return History(torch.stack(losses).tolist(), best.seen)


class _Best:
    """Remembers the weights for which `validate` was lowest."""

    def __init__(self, model: nn.Module, validate: Callable[[], Tensor] | None) -> None:
        self.model, self.validate = model, validate
        self.seen: list[tuple[int, float]] = []
        self.lowest = math.inf
        self.weights: dict[str, Tensor] = {}

    @torch.no_grad()
    def update(self, step: int) -> None:
        if self.validate is None:
            return
        self.model.eval()
        value = float(self.validate())
        self.model.train()
        # No comparison with NaN is true, and -∞ is no value that anything has.
        if -math.inf < value < self.lowest:
            self.lowest = value
            state = self.model.state_dict()
            self.weights = {name: tensor.clone() for name, tensor in state.items()}
        self.seen.append((step, value))

    def restore(self) -> None:
        if self.weights:
            self.model.load_state_dict(self.weights)


class _Guard:
    """Keeps what is not finite out of the weights and the running statistics.

    `bad` is 1 from the first step on whose loss or gradient is not finite. Where it
    takes time to read it, on a GPU, Adam reads it there and takes no such step, as it
    does for torch.amp.GradScaler.
    """

    def __init__(self, model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        weights = [w for group in optimiser.param_groups for w in group["params"]]
        # Gradients are checked one dtype at a time.
        each = dict.fromkeys(w.dtype for w in weights)
        self.weights = [[w for w in weights if w.dtype == dtype] for dtype in each]
        one = torch.ones((), dtype=torch.float32, device=weights[0].device)
        self.one, self.bad, self.bad_steps = one, one * 0, one * 0
        self.reads_at_once = _reads_at_once(one.device)
        if not self.reads_at_once:
            optimiser.found_inf = self.bad  # pyright: ignore[reportAttributeAccessIssue]
        self.kept = [(buffer, buffer.clone()) for buffer in model.buffers()]

    @torch.no_grad()
    def keep_statistics(self, step: int) -> None:
        """Keep what a batch is about to move, unless a bad one moved it before."""
        if step == 2:  # Most buffers never move: masks, orders.
            self.kept = [pair for pair in self.kept if not torch.equal(*pair)]
        if step > 1:
            bad = self.bad > 0
            self.kept = [(now, torch.where(bad, old, now)) for now, old in self.kept]

    def check(self, loss: Tensor) -> None:
        """Set `bad` if the loss or a gradient is not finite; wait for neither."""
        grads = ([w.grad for w in ws if w.grad is not None] for ws in self.weights)
        for tensors in ([loss], *grads):
            # The check of torch.amp.GradScaler, which divides by 1 here.
            torch._amp_foreach_non_finite_check_and_unscale_(  # pyright: ignore[reportPrivateImportUsage]
                tensors, self.bad, self.one
            )
        self.bad_steps += self.bad

    def refuse(self, losses: list[Tensor]) -> None:
        """Raise FloatingPointError if one of the steps so far was bad."""
        if not self.bad:
            return
        for now, old in self.kept:
            if not torch.equal(now, old):
                now.copy_(old)
        step = len(losses) + 1 - int(self.bad_steps)
        loss = losses[step - 1].item()
        what = f"the loss is {loss}"
        if math.isfinite(loss):
            what = f"a gradient is not finite (the loss is {loss:.6g})"
        raise FloatingPointError(
            f"fit: {what} at step {step}. The model has the weights of its best "
            "validation, or those from before that step. Try a lower `lr` or a `clip`; "
            "torch.autograd.set_detect_anomaly(True) names the operation at fault."
        )


def _reads_at_once(device: torch.device) -> bool:
    return device.type == "cpu"


def _tuple(batch: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return batch if isinstance(batch, tuple) else (batch,)
