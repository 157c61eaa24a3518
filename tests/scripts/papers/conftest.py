"""A project of its own for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.small_project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project without papers."""
    return Project.make(tmp_path)
