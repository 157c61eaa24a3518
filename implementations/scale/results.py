"""The result of a trained recipe, beside what the paper reports."""

from __future__ import annotations

import datetime
import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from implementations.core.nets import size
from implementations.core.pixels import bits_per_pixel, pixel_log_prob
from implementations.scale.checkpoints import write_whole
from implementations.scale.machine import describe
from implementations.scale.objective import log_probs, marginal
from implementations.scale.processes import Processes
from implementations.scale.recipes import RowRecipe
from implementations.scale.train import Training

FOLDER = Path(__file__).resolve().parent.parent / "results" / "scale"
LIST = "recipes.json"


def score(training: Training) -> dict[str, Any]:
    """Evaluate the test set, and return all that is kept of a finished training.

    `obtained` is in the recipe's unit, and `standard_error` that of the mean over the
    test set; so is `bits_per_pixel` with its own, where pixels are seen as logits.
    """
    recipe, inputs, processes = training.recipe, training.inputs, training.processes
    rows = inputs.test.take(processes.share(len(inputs.test.x)))
    if inputs.classes:
        log_prob = marginal(training.model, rows.x, inputs.classes)
    else:
        log_prob = log_probs(training.model, rows)
    dims = math.prod(inputs.shape)
    obtained, error = mean_and_error(in_unit(recipe, log_prob, dims), processes)
    found = {"obtained": obtained, "standard_error": error}
    if inputs.margin is not None:
        of_x = pixel_log_prob(log_prob, rows.x, inputs.margin)
        bits = bits_per_pixel(of_x, dims)
        found["bits_per_pixel"], found["bits_error"] = mean_and_error(bits, processes)
    return {
        "recipe": recipe.name,
        "date": datetime.date.today().isoformat(),
        **describe(processes),
        **found,
        "test_rows": len(inputs.test.x),
        "validation": training.at.best,
        "epochs": len(training.at.lines),
        "epochs_allowed": math.ceil(training.steps / training.per_epoch),
        "steps": training.at.step,
        "seconds": round(training.at.seconds),
        "parameters": size(training.model),
        "settings": training.settings,
    }


def in_unit(recipe: RowRecipe, log_prob: Tensor, dims: int) -> Tensor:
    """log p in nats → what the paper's table has, of shape (n,)."""
    if recipe.unit == "log p, nats":
        return log_prob
    return bits_per_pixel(log_prob, dims) if "bits" in recipe.unit else -log_prob


def mean_and_error(values: Tensor, processes: Processes) -> tuple[float, float]:
    """Mean over the rows of all processes, and its standard error."""
    sums = torch.stack(
        [values.sum(), values.square().sum(), values.new_tensor(float(len(values)))]
    )
    total, squares, n = processes.total(sums.double()).tolist()
    variance = max(squares - total**2 / n, 0.0) / max(n - 1, 1)
    return total / n, math.sqrt(variance / n)


def write(found: dict[str, Any], folder: Path) -> Path:
    """Write what was found as RECIPE.json; return where.

    Raises:
        CheckpointError: when it cannot be written.
    """
    path = folder / f"{found['recipe']}.json"
    write_whole(path, (json.dumps(found, indent=2, ensure_ascii=False) + "\n").encode())
    return path


def read(name: str, folder: Path) -> dict[str, Any] | None:
    """Return what a recipe came to, or None where it was not run."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def listed(recipe: RowRecipe) -> dict[str, Any]:
    """Return what the website says of a recipe; its settings are the paper's."""
    return {
        "name": recipe.name,
        "paper": recipe.paper,
        "table": recipe.table,
        "row": recipe.row,
        "unit": recipe.unit,
        "reported": recipe.reported,
        "error": recipe.error,
        "departs": recipe.departs,
        "cuts": [{"name": each.name, "said": each.said} for each in recipe.smaller()],
    }
