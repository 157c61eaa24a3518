"""Processes that train together, copies of one that has imported all."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.process import BaseProcess

import pytest

from tests.scale.meeting import Start, together
from tests.support.copies import copies


@pytest.fixture
def start() -> Start:
    """Start the command in one process, or in several that train together."""
    from tests.scale.tiny import child

    def start(arguments: Sequence[str], count: int = 1) -> list[BaseProcess]:
        shared = together(count) if count > 1 else {}
        processes = []
        for rank in range(count):
            environment = shared | {"RANK": str(rank), "WORLD_SIZE": str(count)}
            process = copies().Process(target=child, args=(environment, arguments))
            process.start()
            processes.append(process)
        return processes

    return start
