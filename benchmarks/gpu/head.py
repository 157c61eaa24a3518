"""The head of gpu.json: `python -m benchmarks.gpu.head` prints it.

In a process of its own, so that a driver which hangs or crashes takes nothing along.
"""

from __future__ import annotations

import datetime
import json
from importlib.metadata import PackageNotFoundError
from typing import Any

import torch

from benchmarks.machine import hardware, versions

NO_CARD = "not measured"


def head() -> dict[str, Any]:
    """Date, machine, versions, threads, and the card's name."""
    card = torch.cuda.is_available()
    return {
        "date": datetime.date.today().isoformat(),
        "machine": hardware(),
        "versions": _versions() | ({"CUDA": str(torch.version.cuda)} if card else {}),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if card else NO_CARD,
    }


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for package in ("torch", "zuko", "nflows", "normflows"):
        try:
            found |= versions(package)
        except PackageNotFoundError:
            continue  # Its part says so.
    return found


if __name__ == "__main__":
    print(json.dumps(head()))
