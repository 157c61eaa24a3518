"""The findings of `make links` are pushed, and one issue lists them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.__main__ import main
from tests.support.repository import asked, branches, git

TIMES = {"since": "2026-12-08T05:17:00Z", "gone": "2026-12-01T05:17:00Z"}
OURS = json.dumps(
    [
        {"number": 3, "title": "Some links are dead, I think"},
        {"number": 7, "title": "Some links are dead"},
    ]
)


@pytest.fixture
def found(clone: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone in which `make links` has run."""
    monkeypatch.setattr("scripts.github.command.ROOT", clone)
    (clone / ".cache").mkdir()
    (clone / ".cache" / "links.md").write_text("The report\n")
    return clone


def note(clone: Path, state: str) -> None:
    known = {"url": "https://arxiv.org/abs/1410.8516", "state": state, "why": "404"}
    (clone / "links.jsonl").write_text(json.dumps(known | TIMES) + "\n")


def calls(clone: Path) -> list[str]:
    return [" ".join(call[:3]) for call in asked(clone)]


def test_a_death_is_pushed_marked_and_told(found: Path) -> None:
    note(found, "dead")
    assert main(["publish-links"]) == 0
    changed = git(found, "diff", "--name-only", "HEAD^", "origin/main").split()
    assert changed == ["README.md", "links.jsonl"]
    assert "Offline since Dec 1, 2026" in git(found, "show", "origin/main:README.md")
    listed, created = asked(found)
    assert listed[:6] == ["issue", "list", "--state", "open", "--app", "github-actions"]
    report = str(found / ".cache" / "links.md")
    title = ["--title", "Some links are dead"]
    assert created == ["issue", "create", *title, "--body-file", report]


def test_the_one_issue_follows(found: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISSUES", OURS)
    note(found, "dead")
    assert main(["publish-links"]) == 0
    assert calls(found) == ["issue list --state", "issue edit 7"]


def test_it_closes_once_nothing_is_dead(
    found: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISSUES", OURS)
    note(found, "unknown")
    assert main(["publish-links"]) == 0
    assert calls(found) == ["issue list --state", "issue edit 7", "issue close 7"]
    changed = git(found, "diff", "--name-only", "HEAD^", "origin/main").split()
    assert changed == ["links.jsonl"]


def test_where_nothing_is_dead_or_new_nothing_happens(found: Path) -> None:
    assert main(["publish-links"]) == 0
    assert calls(found) == ["issue list --state"]
    assert git(found, "rev-list", "--count", "origin/main").strip() == "1"


def test_where_main_is_protected_a_pull_request_asks(found: Path) -> None:
    hook = found.parent / "origin" / "hooks" / "update"
    hook.write_text('#!/bin/sh\n[ "$1" != refs/heads/main ]\n')
    hook.chmod(0o755)
    note(found, "dead")
    assert main(["publish-links"]) == 0
    assert branches(found) == {"main", "links"}
    assert calls(found) == [
        *("pr list --head", "pr create --base"),
        *("issue list --state", "issue create --title"),
    ]


def test_a_history_at_fault_is_not_published(
    found: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (found / "links.jsonl").write_text("{\n")
    with pytest.raises(SystemExit, match="1"):
        main(["publish-links"])
    assert "links.jsonl:1:2: links: is no JSON" in capsys.readouterr().err
    assert calls(found) == []
