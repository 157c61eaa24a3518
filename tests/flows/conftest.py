"""With DEVICE set, what a test makes by itself is made there, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
import torch

from tests.flows.cases import DEVICE


@pytest.fixture(autouse=True)
def there() -> Iterator[None]:
    with torch.device(DEVICE) if DEVICE else nullcontext():
        yield
