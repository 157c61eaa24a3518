"""A project of its own for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.small_project import SmallProject


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    """Return a project without papers."""
    return SmallProject.make(tmp_path)
