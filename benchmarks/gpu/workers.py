"""A plugin for the processes in which pytest-xdist asks a card.

Float32 is meant as such: TF32 is off. And a process whose card answers no more ends:
torch would refuse all that follows in it, so that each later test failed in the name of
one. pytest-xdist calls that one failed, and goes on in a new process.
"""

from __future__ import annotations

import os
from typing import Any


def pytest_sessionstart(session: Any) -> None:
    """Keep convolutions in float32."""
    if hasattr(session.config, "workerinput"):
        import torch

        torch.backends.cudnn.allow_tf32 = False


def pytest_runtest_makereport(item: Any, call: Any) -> None:
    """End this process when the card has refused."""
    worker = hasattr(item.config, "workerinput")
    if worker and call.excinfo and "CUDA error" in str(call.excinfo.value):
        os._exit(1)
