"""Training one recipe: the same losses and weights however it is shared or stopped."""

from __future__ import annotations

import math
import time
import warnings
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from implementations.core.bijection import DataDependent
from implementations.core.pixels import with_noise
from implementations.scale import checkpoints
from implementations.scale.inputs import Inputs, Rows
from implementations.scale.logs import Bar, write_csv
from implementations.scale.norm import settle
from implementations.scale.objective import (
    AT_ONCE,
    Objective,
    log_probs,
    masks,
    optimiser_of,
    refuse_if_statistics_differ,
)
from implementations.scale.options import Options, refuse_changed, settings
from implementations.scale.order import mixed, permutation, pieces
from implementations.scale.processes import Processes, StopSignal
from implementations.scale.recipes import RowRecipe


class Stopped(Exception):
    """SIGTERM came, and all is saved."""


@dataclass
class TrainingState:
    """All that changes in a training beside the weights and the optimiser.

    `losses` sums those of the epoch's steps; `lines` has a line for each epoch.
    `best` is the lowest loss on the validation set, `waited` the epochs since.
    """

    step: int = 0
    losses: float = 0.0
    seconds: float = 0.0
    best: float = math.inf
    waited: int = 0
    lines: list[dict[str, float]] = field(default_factory=list)


class Training:
    """The training of one recipe in this process, together with the others.

    It begins where the newest checkpoint in the folder ends, in whatever number of
    processes that was written.

    Raises:
        RecipeError: when the recipe cannot be shared so, or the folder holds the
            training of another.
        CheckpointError: when the folder cannot be read or written.
    """

    def __init__(
        self,
        recipe: RowRecipe,
        inputs: Inputs,
        processes: Processes,
        folder: Path,
        options: Options,
    ) -> None:
        self.recipe, self.plan, self.options = recipe, recipe.plan, options
        self.processes, self.folder = processes, folder
        self.settings = settings(recipe, options, inputs.fingerprint())
        self.inputs = inputs.to(processes.device)
        self.rows = len(inputs.train.x)
        self.batch = min(self.plan.batch, self.rows)
        self.per_epoch = self.plan.steps_per_epoch(self.rows)
        self.steps = self.plan.length(self.rows)
        torch.manual_seed(options.seed)
        model: nn.Module = recipe.build(**inputs.arguments())
        self.model = model.to(processes.device)
        refuse_if_statistics_differ(
            recipe.name, self.model, processes.count, options.rows
        )
        self.masks = masks(self.model)
        self.optimiser = optimiser_of(self.plan, self.model)
        self.at = TrainingState()
        self.best_weights: dict[str, Tensor] = {}
        self._order = torch.empty(0), -1
        self._begin()
        self.objective: nn.Module = Objective(self.model)
        if processes.count > 1:
            self.objective = _among_processes(self.objective)
        self.loss = torch.compile(self.objective) if options.compile else self.objective

    @property
    def ended(self) -> bool:
        """True when all steps are done, or nothing got better for too long."""
        return self.at.step >= self.steps or self.at.waited >= self.plan.patience

    @property
    def rate(self) -> float:
        """The rate of the next step."""
        if self.plan.schedule == "constant":
            return self.plan.rate
        share = self.at.step / self.steps
        return self.plan.rate * (1 + math.cos(math.pi * share)) / 2

    def run(self) -> None:
        """Train to the end, and give the model its best weights.

        Raises:
            Stopped: when SIGTERM came; everything is saved.
            FloatingPointError: when a loss or a gradient is not finite; the last
                checkpoint is from before.
        """
        bar = Bar(self.recipe.name, self.at.step, self.steps, self.processes.first)
        saved = time.monotonic()
        began = saved - self.at.seconds
        try:
            with StopSignal().listening() as asked:
                while not self.ended:
                    loss, stop = self._step(asked.to_stop)
                    bar.step(loss)
                    self.at.seconds = time.monotonic() - began
                    if self.at.step % self.per_epoch == 0 or self.at.step == self.steps:
                        bar.epoch(self._end_epoch())
                    late = time.monotonic() - saved >= self.options.seconds
                    if stop or late or self.ended:
                        self._save()
                        saved = time.monotonic()
                    if stop and not self.ended:
                        raise Stopped
        finally:
            bar.close()
        self.model.load_state_dict(self.best_weights)
        self.model.eval()

    def _begin(self) -> None:
        first = self.processes.first
        payload = checkpoints.load(self.folder) if first else None
        payload = self.processes.from_first(payload)
        if payload is not None:
            self._restore(checkpoints.state_of(payload, self.processes.device))
        elif any(isinstance(each, DataDependent) for each in self.model.modules()):
            # All see the whole first batch, and set the same.
            model: Any = self.model
            batch = self._batch(0)
            model.initialise(batch.x, batch.context)

    def _restore(self, state: dict[str, Any]) -> None:
        refuse_changed(self.recipe.name, self.folder, state["settings"], self.settings)
        self.at = TrainingState(**state["at"])
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best_weights = state["best"]

    def _save(self) -> None:
        if self.processes.first:
            state = {
                "settings": self.settings,
                "at": asdict(self.at),
                "model": self.model.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "best": self.best_weights,
            }
            checkpoints.save(self.folder, self.at.step, state)

    def _step(self, stop: bool) -> tuple[float, bool]:
        """Take a step; return its loss, and whether any process was asked to stop."""
        at, count = self.at, self.processes.count
        self.model.train()
        own = self._batch(at.step).take(self.processes.share(self.batch))
        # What the model draws depends on the step and on the process alone.
        number = at.step * count + self.processes.rank
        torch.manual_seed(mixed(self.options.seed, number, 2))
        self.optimiser.zero_grad()
        sums = torch.zeros(2, dtype=torch.double, device=self.processes.device)
        parts = list(pieces(own, self.options.rows))
        for k, part in enumerate(parts, 1):
            with self._apart() if k < len(parts) else nullcontext():
                with self._precision():
                    loss = self.loss(*part, at.step % self.masks).sum()
                # The mean over processes of what is learned from is that over all rows.
                (loss * (count / self.batch)).backward()
            sums[0] += loss.detach()
        sums[1] = stop
        total, stops = self.processes.total(sums).tolist()
        self._refuse_unless_finite(total / self.batch)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        self.optimiser.step()
        at.step += 1
        at.losses += total / self.batch
        return total / self.batch, stops > 0

    def _batch(self, step: int) -> Rows:
        """Return the rows of a step, of all processes together: the same in each."""
        epoch, number = divmod(step, self.per_epoch)
        if self._order[1] != epoch:
            self._order = permutation(self.rows, self.options.seed, epoch), epoch
        which = self._order[0][number * self.batch : (number + 1) * self.batch]
        rows = self.inputs.train.take(which.to(self.processes.device))
        if not self.inputs.levels:
            return rows
        noise = torch.Generator().manual_seed(mixed(self.options.seed, step, 1))
        x = with_noise(rows.x.cpu(), generator=noise)
        return rows._replace(x=x.to(self.processes.device))

    def _precision(self) -> Any:
        kind = self.processes.device.type
        return torch.autocast(kind, torch.bfloat16, enabled=self.options.bfloat16)

    def _apart(self) -> Any:
        """Let gradients add up in this process, for now."""
        if isinstance(self.objective, DistributedDataParallel):
            return self.objective.no_sync()
        return nullcontext()

    def _refuse_unless_finite(self, loss: float) -> None:
        what = f"the loss is {loss}"
        if math.isfinite(loss):
            clip, parameters = self.plan.clip, self.model.parameters()
            if nn.utils.clip_grad_norm_(parameters, clip).isfinite():
                return
            what = f"a gradient is not finite (the loss is {loss:.6g})"
        raise FloatingPointError(
            f"{self.recipe.name}: {what} at step {self.at.step + 1}, which is not "
            f"taken. The last checkpoint in {self.folder} is from before. Try a lower "
            "rate or a `clip` in the recipe, or float32"
        )

    def _end_epoch(self) -> float:
        """Validate, keep the weights if they are the best, and write a line."""
        at = self.at
        steps = (at.step - 1) % self.per_epoch + 1
        own = self.inputs.train.take(self.processes.share(self.rows))
        settle(self.model, *own, AT_ONCE)
        loss = self._validate()
        at.waited += 1
        # No comparison with NaN is true, and −∞ is no value that anything has.
        if -math.inf < loss < at.best:
            at.best, at.waited = loss, 0
            state = self.model.state_dict()
            self.best_weights = {name: each.clone() for name, each in state.items()}
        if not self.best_weights:
            raise FloatingPointError(
                f"{self.recipe.name}: the loss of the first validation is {loss}"
            )
        line = {"epoch": len(at.lines) + 1, "step": at.step, "seconds": at.seconds}
        line |= {"rate": self.optimiser.param_groups[0]["lr"]}
        line |= {"train": at.losses / steps, "validation": loss, "best": at.best}
        at.lines.append(line)
        at.losses = 0.0
        if self.processes.first:
            write_csv(self.folder / "log.csv", at.lines)
        return loss

    def _validate(self) -> float:
        rows = self.inputs.validation.take(slice(self.plan.validated_on or None))
        n = len(rows.x)
        values = log_probs(self.model, rows.take(self.processes.share(n)))
        return -self.processes.total(values.sum()).item() / n


def _among_processes(objective: nn.Module) -> DistributedDataParallel:
    with warnings.catch_warnings():
        # Its new name is not known to every torch that we support.
        warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated")
        # Statistics are of all processes, and the same in each.
        return DistributedDataParallel(
            objective, broadcast_buffers=False, gradient_as_bucket_view=True
        )
