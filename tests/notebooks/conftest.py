"""A project of its own for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebooks.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project without papers."""
    (tmp_path / "mkdocs.yml").write_text(
        "site_name: Flows\nsite_url: https://flows.org/\n"
        "repo_url: https://github.com/me/flows\n"
    )
    made = Project(tmp_path)
    made.write("__init__.py", "")
    return made
