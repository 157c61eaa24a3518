"""The machine of a measurement, as every file of results names it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scripts.results.forms import Machine


def machine() -> Machine:
    """Cores, model of the processor, memory in GB."""
    from scripts.results.forms import Machine

    return Machine(**hardware())


def hardware() -> dict[str, Any]:
    """The same as plain values, for a machine without pydantic."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    processors = Path("/proc/cpuinfo")
    lines = processors.read_text().splitlines() if processors.exists() else []
    models = [
        line.partition(": ")[2] for line in lines if line.startswith("model name")
    ]
    return {
        "cores": os.cpu_count() or 1,
        "model": models[0] if models else platform.machine(),
        "memory_gb": round(memory),
    }


def versions(*packages: str) -> dict[str, str]:
    """Version of Python and of each package."""
    return {"python": platform.python_version()} | {p: version(p) for p in packages}
