from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.frozen import copy_list
from tests.support.repository import GH, git


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of a repository with the list; `gh` is played by a script."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("PULLS", "[]")
    monkeypatch.setenv("ISSUES", "[]")
    monkeypatch.setenv("GH_LOG", str(tmp_path / "gh.log"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH)
    (tmp_path / "bin" / "gh").chmod(0o755)
    work = tmp_path / "work"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin")
    git(tmp_path, "clone", "--quiet", "origin", "work")
    copy_list(work)
    (work / "links.jsonl").touch()
    (work / "software.jsonl").touch()
    monkeypatch.chdir(work)
    git(work, "add", ".")
    git(work, "-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", "List")
    git(work, "push", "--quiet", "origin", "HEAD:main")
    return work
