"""Issue forms become pull requests, or an answer; README.md follows the list."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.__main__ import main
from scripts.add import Adder
from scripts.base.project import read_project
from scripts.catalogue import load
from scripts.github.clone import Clone, answers
from tests.support.repository import asked, branches, git

FORM = """\
### Paper

2101.00001

### Note

It flows,
and says why.

### Tags

coupling, images

### Title

A Flow

### Authors

Ada Lovelace, Emmy Noether

### Published on

2017-06-01

### Venue

_No response_
"""


@pytest.fixture
def answer(clone: Path) -> Callable[[str], int]:
    def answer(body: str) -> int:
        adder = Adder(
            clone / "resources.yaml",
            clone / "README.md",
            clone / "implementations",
            read_project(),
        )
        event: dict[str, Any] = {"issue": {"number": 12, "body": body}}
        return Clone(clone).answer(event, adder)

    return answer


def test_a_form_is_read_as_it_was_filled_in() -> None:
    work, section, flags = answers(FORM.replace("\n", "\r\n"))
    assert (work, section) == ("2101.00001", "publications")
    assert flags == {
        "note": "It flows, and says why.",
        "tags": "coupling, images",
        "title": "A Flow",
        "authors": "Ada Lovelace, Emmy Noether",
        "date": "2017-06-01",
    }


def test_first_answers_count_and_other_headings_are_text() -> None:
    body = FORM + "\n### Title\n\nAnother\n\n### Code\n\nx\n\n### Run\n\nthis\n"
    work, section, flags = answers(body)
    assert (work, section, flags["title"]) == ("2101.00001", "publications", "A Flow")


@pytest.mark.parametrize("body", ["", "Hello", "### Title\n\nx", "### Paper"])
def test_an_issue_that_is_no_form_names_no_work(body: str) -> None:
    assert answers(body)[0] == ""


def test_a_form_becomes_a_pull_request(
    clone: Path, answer: Callable[[str], int]
) -> None:
    before = git(clone, "rev-parse", "origin/main")
    assert answer(FORM) == 0
    assert branches(clone) == {"main", "entry-12"}
    git(clone, "fetch", "--quiet")
    changed = git(clone, "diff", "--name-only", "origin/main", "origin/entry-12")
    assert changed.split() == ["README.md", "resources.yaml"]
    assert git(clone, "rev-parse", "origin/main") == before
    papers = load(clone / "resources.yaml", clone / "implementations").publications
    assert "https://arxiv.org/abs/2101.00001" in [paper.url for paper in papers]
    listed, created = asked(clone)
    assert listed[:2] == ["pr", "list"]
    assert created[:6] == ["pr", "create", "--base", "main", "--head", "entry-12"]
    assert created[-1].startswith("Closes #12.")


def test_an_edited_form_moves_its_branch_and_opens_no_second_request(
    clone: Path, answer: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answer(FORM) == 0
    git(clone, "reset", "--quiet", "--hard", "origin/main")
    monkeypatch.setenv("PULLS", '[{"number": 7}]')
    assert answer(FORM.replace("A Flow", "A Better Flow")) == 0
    assert [call[:2] for call in asked(clone)] == [
        ["pr", "list"],
        ["pr", "create"],
        ["pr", "list"],
    ]
    git(clone, "fetch", "--quiet")
    assert "A Better Flow" in git(clone, "show", "origin/entry-12:resources.yaml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("2101.00001", "1410.8516", "it is on the list already, as nice"),
        ("2101.00001", "@everyone ```", "is no arXiv id, DOI or address"),
        ("coupling, images", "copling", 'did you mean "coupling"?'),
        ("2017-06-01", "June", 'Published on: "June" is no ISO date'),
        ("and says why.", "</details><script>", "note: "),
        ("### Published on\n\n2017-06-01", "", '  Published on "…"  of publication'),
        (FORM, "Hello", '"" is no arXiv id, DOI or address'),
    ],
)
def test_a_form_at_fault_is_answered_and_changes_nothing(
    clone: Path, answer: Callable[[str], int], old: str, new: str, said: str
) -> None:
    assert answer(FORM.replace(old, new)) == 0
    (comment,) = asked(clone)
    assert comment[:4] == ["issue", "comment", "12", "--body"]
    head, *quoted, tail = comment[4].split("\n\n")
    assert said in comment[4]
    # Quoted as code, whatever it holds.
    assert head == "This cannot be added as it stands:"
    assert tail.startswith("Please edit the issue")
    lines = "\n".join(quoted).split("\n")
    assert all(not line or line.startswith("    ") for line in lines)
    assert branches(clone) == {"main"}
    assert git(clone, "status", "--porcelain") == ""


def test_a_list_at_fault_is_told_in_the_answer(
    clone: Path, answer: Callable[[str], int]
) -> None:
    file = clone / "resources.yaml"
    file.write_text(file.read_text().replace("id: maf", "id: MAF"))
    assert answer(FORM) == 0
    assert "the list itself has faults" in asked(clone)[0][4]


def change_the_list(clone: Path) -> None:
    file = clone / "resources.yaml"
    text = file.read_text("utf-8")
    file.write_text(text.replace("title: Neural Spline Flows", "title: Splines"))
    git(clone, "-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qam", "List")
    git(clone, "push", "--quiet", "origin", "HEAD:main")


def test_the_readme_follows_the_list_once(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_the_list(clone)
    monkeypatch.setattr("scripts.github.command.ROOT", clone)
    assert main(["publish-readme"]) == 0
    log = git(clone, "log", "--format=%an: %s", "-2", "origin/main").splitlines()
    assert log == ["github-actions[bot]: Regenerate README.md", "A: List"]
    assert asked(clone) == []
    assert Clone(clone).publish("README.md") == 0
    assert git(clone, "rev-list", "--count", "origin/main").strip() == "3"


def test_where_main_is_protected_a_pull_request_asks(clone: Path) -> None:
    change_the_list(clone)
    hook = clone.parent / "origin" / "hooks" / "update"
    hook.write_text('#!/bin/sh\n[ "$1" != refs/heads/main ]\n')
    hook.chmod(0o755)
    assert main(["readme"]) == 0
    assert Clone(clone).publish("README.md") == 0
    assert branches(clone) == {"main", "regenerate-readme-md"}
    assert [call[:2] for call in asked(clone)] == [["pr", "list"], ["pr", "create"]]


def test_the_command_reads_the_event_from_its_file(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = clone.parent / "event.json"
    event.write_text(json.dumps({"issue": {"number": 3, "body": None}}))
    monkeypatch.setattr("scripts.github.command.ROOT", clone)
    assert main(["answer-issue", str(event)]) == 0
    assert asked(clone)[0][:3] == ["issue", "comment", "3"]
