"""Processes that train together, copies of one that has imported all."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess

import pytest

from tests.scale.meeting import Start, together


@pytest.fixture(scope="session")
def copies() -> ForkServerContext:
    """The server whose copies begin at once; importing takes longer than training."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        # The first DistributedDataParallel imports the latter.
        ["tests.scale.tiny", "torch._dynamo"]
    )
    return context


@pytest.fixture
def start(copies: ForkServerContext) -> Start:
    """Start the command in one process, or in several that train together."""
    from tests.scale.tiny import child

    def start(arguments: Sequence[str], count: int = 1) -> list[BaseProcess]:
        shared = together(count) if count > 1 else {}
        processes = []
        for rank in range(count):
            environment = shared | {"RANK": str(rank), "WORLD_SIZE": str(count)}
            process = copies.Process(target=child, args=(environment, arguments))
            process.start()
            processes.append(process)
        return processes

    return start
