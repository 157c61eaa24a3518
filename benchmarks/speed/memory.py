"""The peak of what a call allocates, by torch's own account."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

# The profiler would announce its start and stop on stderr.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")


def peak_bytes(run: Callable[[], object]) -> int:
    """Most bytes of tensors on the CPU that are alive at once, beyond those before.

    Exact and repeatable: the profiler notes every allocation and release.
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    with tempfile.TemporaryDirectory() as directory:
        trace = Path(directory) / "trace.json"
        profiler.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text("utf-8"))["traceEvents"]
    changes = [
        (event["ts"], event["args"]["Bytes"])
        for event in events
        if event.get("name") == "[memory]"
    ]
    changes.sort(key=lambda change: change[0])
    return max(accumulate((size for _, size in changes), initial=0))
