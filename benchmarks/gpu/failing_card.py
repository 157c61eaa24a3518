"""A plugin for pytest's processes: ends one whose card answers no more.

After an error on the card itself, torch refuses all that follows in that process, so
that each later test would fail in its name. pytest-xdist calls the test that did it
failed, and goes on in a new process.
"""

from __future__ import annotations

import os
from typing import Any


def pytest_runtest_makereport(item: Any, call: Any) -> None:
    """End this process when the card has refused."""
    worker = hasattr(item.config, "workerinput")
    if worker and call.excinfo and "CUDA error" in str(call.excinfo.value):
        os._exit(1)
