"""The course of a training: a table as CSV, and a bar on the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from implementations.scale.checkpoints import write_whole

COLUMNS = ("epoch", "step", "seconds", "rate", "train", "validation", "best")


def write_csv(path: Path, lines: Sequence[Mapping[str, float]]) -> None:
    """Write a line for each epoch; losses are means of −log p, in nats.

    Raises:
        CheckpointError: when the file cannot be written; it stays as it was.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{line[name]:.9g}" for name in COLUMNS} for line in lines)
    write_whole(path, text.getvalue().encode())


class Bar:
    """Steps done of those there may be, on a terminal only, with the last losses."""

    def __init__(self, name: str, done: int, steps: int, shown: bool) -> None:
        self._bar = tqdm(
            desc=name,
            initial=done,
            total=steps,
            unit="step",
            dynamic_ncols=True,
            disable=None if shown else True,
        )
        self._validation = ""

    def step(self, loss: float) -> None:
        """Move on by a step of this loss."""
        self._bar.set_postfix_str(f"loss {loss:.4g}{self._validation}", refresh=False)
        self._bar.update()

    def epoch(self, validation: float) -> None:
        """Note the loss of a validation."""
        self._validation = f", validation {validation:.6g}"

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()
