"""A project of its own for every test, and an event loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.scripts.papers.conftest import project

__all__ = ["project"]


@pytest.fixture(autouse=True)
def no_running_loop() -> Iterator[None]:
    """Playwright, which may have run in this process, leaves its loop running."""
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(loop)
