"""The head of every file of results: when, on what, and with which versions.

Plain values, for a machine without pydantic.
"""

from __future__ import annotations

import datetime
import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

NOT_MEASURED = "not measured"


def head(*packages: str, gpu: str = NOT_MEASURED) -> dict[str, Any]:
    """As `origin`, with torch's version, its threads, and the card's name."""
    import torch

    threads = torch.get_num_threads()
    return {**origin("torch", *packages), "threads": threads, "gpu": gpu}


def origin(*packages: str) -> dict[str, Any]:
    """Date, machine, and the versions of Python and of the packages that are there."""
    versions = {"python": platform.python_version()}
    for package in packages:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    date = datetime.date.today().isoformat()
    return {"date": date, "machine": machine(), "versions": versions}


def machine() -> dict[str, Any]:
    """Cores, model of the processor, memory in GB."""
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


def card() -> str:
    """Return the name of the GPU, or that there is none."""
    import torch

    there = torch.cuda.is_available()
    return torch.cuda.get_device_name() if there else NOT_MEASURED
