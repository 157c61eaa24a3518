"""Every paper has everything that a paper has; else each message names its remedy."""

from __future__ import annotations

import pytest

from scripts.scaffold.checklist import CHECKS
from tests.support.papers import PAPERS, ROOT


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("check", CHECKS)
def test_a_paper_lacks_nothing(check: str, paper: str) -> None:
    assert not (lack := CHECKS[check](ROOT, paper)), lack
