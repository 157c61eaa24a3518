"""The head of gpu.json: `python -m benchmarks.gpu.head` prints it.

In a process of its own, so that a driver which hangs or crashes takes nothing along.
"""

from __future__ import annotations

import json
from typing import Any

import torch

from benchmarks import machine


def head() -> dict[str, Any]:
    """Date, machine, versions, threads, and the card's name."""
    # Where a peer is missing, its part says so.
    fields = machine.head("zuko", "nflows", "normflows", gpu=machine.card())
    if torch.cuda.is_available():
        fields["versions"]["CUDA"] = str(torch.version.cuda)
    return fields


if __name__ == "__main__":
    print(json.dumps(head()))
