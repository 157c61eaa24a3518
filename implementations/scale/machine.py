"""The computer that trained: its processor, its card, and the versions."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch

from implementations.scale.processes import Processes


def describe(processes: Processes) -> dict[str, Any]:
    """Return the machine, the card's name ("" without one), versions and threads."""
    cuda = processes.device.type == "cuda"
    return {
        "machine": _machine(),
        "gpu": torch.cuda.get_device_name() if cuda else "",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "processes": processes.count,
        "threads": torch.get_num_threads(),
    }


def _machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    models = [
        line.partition(": ")[2] for line in lines if line.startswith("model name")
    ]
    return {
        "cores": os.cpu_count() or 1,
        "model": models[0] if models else platform.machine(),
        "memory_gb": round(memory),
    }
