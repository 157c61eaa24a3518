"""Run a part in a process of its own, and end it with all that it started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.gpu.parts import Part, Place

ROOT = Path(__file__).parents[2]


@dataclass
class PartOutcome:
    """The rows that a part has handed over; `why` says why it did not end."""

    seconds: float = 0.0
    why: str | None = None
    left_out: list[str] = field(default_factory=list)
    rows: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """True where something went wrong: a missing package is no fault."""
        return self.why is not None and not self.why.startswith("not measured")


def run_part(part: Part, place: Place, limit: float) -> PartOutcome:
    """Run the part for at most `limit` seconds; keep what it measured until then."""
    with tempfile.TemporaryDirectory(prefix="gpu-") as folder:
        rows = Path(folder, "rows.jsonl")
        rows.touch()
        command = [
            *(sys.executable, "-m", "benchmarks.gpu.part"),
            *(f"{part.package}.{part.name}", "--needs", *part.needs),
            *("--rows", str(rows), "--device", place.device),
            *(("--smoke",) if place.smoke else ()),
        ]
        started = time.monotonic()
        why = run_within(command, limit, variables(place))
        outcome = PartOutcome(round(time.monotonic() - started, 1))
        lines = rows.read_text("utf-8").split("\n")[:-1]  # the last may be cut short
    for line in map(json.loads, lines):
        outcome.rows += line.get("rows", [])
        outcome.left_out += line.get("left_out", [])
        outcome.why = line.get("why", outcome.why)
    outcome.why = outcome.why or why
    return outcome


def variables(place: Place) -> dict[str, str]:
    """Return the environment of a part: what tells flows where, and how much."""
    kept = {name: value for name, value in os.environ.items() if name != "SMOKE"}
    path = [str(ROOT), *filter(None, [kept.get("PYTHONPATH")])]
    return {
        "OMP_NUM_THREADS": "1",
        **kept,
        **({"SMOKE": "1"} if place.smoke else {}),
        "DEVICE": place.device,
        "MPLBACKEND": "agg",
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONUNBUFFERED": "1",
        "TQDM_DISABLE": "1",
    }


def run_within(
    command: Sequence[str], limit: float, environment: Mapping[str, str]
) -> str | None:
    """Run a command; say why it did not end well, or return None.

    Whatever happens, neither it nor a process that it started is left running.
    """
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, start_new_session=True
    )
    try:
        status = process.wait(limit)
    except subprocess.TimeoutExpired:
        return f"stopped after {limit:.0f} seconds, when its time was over"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return f"ended with status {status}" if status else None
