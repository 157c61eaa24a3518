"""Settings of a run from outside: the seed, the device, and a trial or not."""

from __future__ import annotations

import os
import sys

import torch


def seed() -> int:
    """Seed torch with the experiment's seed: SEED, or 0; return it."""
    value = int(os.environ.get("SEED", "0"))
    torch.manual_seed(value)
    return value


def device() -> torch.device:
    """Return DEVICE where that is set; else a GPU where there is one; else the CPU."""
    found = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(os.environ.get("DEVICE") or found)


def smoke() -> bool:
    """True where SMOKE=1 asks for a few steps only, to see that everything runs."""
    return os.environ.get("SMOKE", "0") == "1"


def in_notebook() -> bool:
    """True where outputs are shown in a notebook, and not on a terminal."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None
