"""The variables under which papers run, so that each run is like the last."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_THREADS = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM")
_NOT_KEPT = ("SMOKE", "SEED", "DEVICE", "CLAIMS_OUT")


def settings(device: str | None, threads: int) -> dict[str, str]:
    """Return what a command asks of its runs, wherever these are.

    SEED is 0 unless it is set; DEVICE is `device`, or what it was.
    """
    device = device or os.environ.get("DEVICE")
    return {
        "SEED": os.environ.get("SEED", "0"),
        **({"DEVICE": device} if device else {}),
        **{f"{library}_NUM_THREADS": str(threads) for library in _THREADS},
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else it warns of its own debugger
        "PYTHONHASHSEED": "0",
    }


def environment(root: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a run on this machine, of the code in a folder."""
    kept = {name: v for name, v in os.environ.items() if name not in _NOT_KEPT}
    path = [str(root), *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, **settings, "PYTHONPATH": os.pathsep.join(path)}
