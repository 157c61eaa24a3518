"""One paper's own checks: which commands they are, and when they pass."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from scripts.base.project import ROOT
from scripts.scaffold import checking
from scripts.scaffold.checklist import Lack

LACK = Lack("docs/compare.md", "says nothing", "say it")


class Tools:
    """Stand-ins for ruff, pyright and pytest; those in `failing` fail."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.called: list[list[str]] = []

    def run(self, command: list[str], **_: Any) -> SimpleNamespace:
        self.called.append(command[2:])
        return SimpleNamespace(returncode=int(command[2] in self.failing))

    def start(self, command: list[str], **_: Any) -> SimpleNamespace:
        ran = self.run(command)
        return SimpleNamespace(
            returncode=ran.returncode, communicate=lambda: ("said of types", None)
        )


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Tools:
    tools = Tools()
    monkeypatch.setattr(checking.subprocess, "run", tools.run)
    monkeypatch.setattr(checking.subprocess, "Popen", tools.start)
    monkeypatch.setattr(checking.checklist, "everything_left", lambda root, paper: [])
    return tools


def test_a_paper_passes_when_all_tools_do(
    tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checking.run(ROOT, "real_nvp") == 0
    assert capsys.readouterr().out == "real_nvp lacks nothing\n"
    assert [command[0] for command in tools.called] == [
        *("pyright", "ruff", "ruff", "pytest")
    ]
    types, lint, _, tests = tools.called
    own = {"implementations/real_nvp.py", "tests/papers/real_nvp/test_oracle.py"}
    assert own <= {*types} and own <= {*lint}
    assert "--paper=real_nvp" in tests and "tests/flows/test_contract.py" in tests
    named = [*types, *lint, *tests]
    files = [name for name in named if name.endswith(".py")]
    assert all((ROOT / name).is_file() for name in files)


@pytest.mark.parametrize(
    ("tool", "said", "failed"),
    [
        ("ruff", "ruff format", "style and layout"),
        ("pyright", "of types", "types"),
        ("pytest", "", "tests"),
    ],
)
def test_a_paper_fails_when_one_tool_does(
    tool: str, said: str, failed: str, tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.failing = {tool}
    assert checking.run(ROOT, "nice") == 1
    told = capsys.readouterr().out
    assert said in told
    assert told.endswith(f"nice does not pass: {failed} failed, see above\n")


def test_a_paper_fails_when_it_lacks_something(
    tools: Tools, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checking.checklist, "everything_left", lambda *_: [LACK])
    assert checking.run(ROOT, "nice") == 1
    assert capsys.readouterr().out == (
        "nice lacks, in the order to do it:\n  docs/compare.md: says nothing (say it)\n"
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "real_nvpp",
            'no publication has the id "real_nvpp" (did you mean "real_nvp"?)',
        ),
        ("video_gnf", '"video_gnf" is under Videos: only publications have'),
    ],
)
def test_a_name_that_is_no_papers_is_told(
    name: str, told: str, tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checking.run(ROOT, name) == 1
    assert told in capsys.readouterr().err
    assert tools.called == []
