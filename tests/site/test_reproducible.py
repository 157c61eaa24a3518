"""The same project gives the same site, byte by byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.site.conftest import Built
from tests.support.building import build, contents


@pytest.mark.thorough
def test_two_builds_are_the_same(built: Built, project: Path, tmp_path: Path) -> None:
    again = tmp_path / "site"
    shutil.rmtree(project / ".cache")
    run = build(project, again, PYTHONHASHSEED="1", TZ="Asia/Tokyo")
    assert run.returncode == 0, run.stderr
    assert contents(again) == contents(built.site)
    # Builds of another day as well: the one date in a site is in this header.
    assert contents(again)["sitemap.xml.gz"][4:8] == bytes(4)
