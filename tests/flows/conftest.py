"""With DEVICE set, what a test makes by itself is made there, too."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def there() -> Iterator[None]:
    if place := os.environ.get("DEVICE"):
        # Where pytest-xdist only hands out tests, torch need not be imported.
        import torch

        with torch.device(place):
            yield
    else:
        yield
