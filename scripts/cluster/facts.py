"""The means with which a process would run jobs: versions, code, machine."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from scripts.base.project import ROOT
from scripts.cluster.place import Needs

MISSING = "missing"


@dataclass(frozen=True)
class WorkerFacts:
    """The facts of one process.

    `versions` are by package, Python's among them; `code` has a hash for each file;
    `device` is the card's name, or "cpu"; `cores` are those of the whole machine.
    """

    versions: dict[str, str]
    code: dict[str, str]
    commit: str
    machine: str
    cores: int
    device: str

    @property
    def digest(self) -> str:
        """A hash of what must be the same wherever a job runs."""
        told = repr([sorted(self.versions.items()), sorted(self.code.items())])
        return hashlib.sha256(told.encode()).hexdigest()[:16]


@cache
def facts(needs: Needs, root: Path = ROOT) -> WorkerFacts:
    """Gather the facts of this process, once.

    Once, since what it has imported stays as it was, whatever becomes of the files.
    """
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return WorkerFacts(
        {"python": python, **{name: _version(name) for name in needs.packages}},
        _hashes(root, needs.rooms),
        _first_line(["git", "-C", str(root), "rev-parse", "--short=10", "HEAD"]),
        processor(),
        os.cpu_count() or 1,
        _device(),
    )


def _version(package: str) -> str:
    try:
        return version(package).partition("+")[0]
    except PackageNotFoundError:
        return MISSING


def _hashes(root: Path, rooms: Sequence[str]) -> dict[str, str]:
    files = sorted(path for room in rooms for path in (root / room).rglob("*.py"))
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def processor() -> str:
    """Return the model of this machine's processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model n")]
    return models[0] if models else platform.machine()


def _device() -> str:
    """Name the card without torch, which would keep memory of it for itself."""
    if not shutil.which("nvidia-smi"):
        return "cpu"
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return _first_line(query) or "cpu"


def _first_line(command: Sequence[str]) -> str:
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return (run.stdout.splitlines() or [""])[0]
