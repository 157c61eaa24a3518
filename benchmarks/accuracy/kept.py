"""Fits that have finished, kept under what they came from until all are there.

So a run that was interrupted, or whose cluster was lost, goes on where it was.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from benchmarks.accuracy.fitting import Budget, Fit
from scripts.base.files import write_atomic
from scripts.base.project import ROOT
from scripts.results.forms import Course

KEPT = ROOT / ".cache" / "accuracy"


@dataclass(frozen=True)
class KeptFits:
    """The fits of one budget, by one code, on one kind of machine.

    `origin` says the last two; a change of it leaves what is kept aside. `folder` is
    None where nothing is to be kept.
    """

    folder: Path | None
    origin: str
    budget: Budget

    def find(self, fit: Fit) -> Course | None:
        """Return what the fit came to, if that is kept."""
        if path := self._path(fit):
            # Another version of this project may have written another form.
            with suppress(FileNotFoundError, ValidationError):
                return Course.model_validate_json(path.read_bytes())
        return None

    def keep(self, fit: Fit, course: Course) -> None:
        """Keep what the fit came to. Raises WriteError."""
        if path := self._path(fit):
            write_atomic(path, course.model_dump_json())

    def _path(self, fit: Fit) -> Path | None:
        told = repr((self.origin, self.budget, fit))
        name = hashlib.sha256(told.encode()).hexdigest()[:16]
        return self.folder / f"{name}.json" if self.folder else None


def drop(folder: Path) -> None:
    """Forget all fits, those of other origins too: the results have them."""
    shutil.rmtree(folder, ignore_errors=True)
