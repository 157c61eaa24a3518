"""Where the browser of these tests comes from."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.site import chromium

Machine = Callable[..., list[str]]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine without Chromium, on which one command installs it."""
    ran: list[str] = []

    def run(command: list[str]) -> bool:
        ran.append(" ".join(command[-3:]))
        return False

    def machine(*, finds: list[str | None], root: bool, ci: bool) -> list[str]:
        monkeypatch.setattr(chromium, "find_chromium", lambda: finds.pop(0))
        monkeypatch.setattr(chromium, "_run", run)
        monkeypatch.setattr(os, "getuid", lambda: 0 if root else 1000)
        monkeypatch.setenv("CI", "true" if ci else "")
        return ran

    return machine


PLAYWRIGHT = "playwright install chromium"
SYSTEM = ["apt-get update", "--yes --no-install-recommends chromium"]


def test_an_installed_one_is_used(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = machine(finds=["/usr/bin/chromium"] * 2, root=True, ci=True)
    assert chromium.install() == 0
    assert ran == []
    assert "/usr/bin/chromium" in capsys.readouterr().out


def test_ci_as_root_falls_back_to_the_systems_package(machine: Machine) -> None:
    ran = machine(finds=[None, "/usr/bin/chromium"], root=True, ci=True)
    assert chromium.install() == 0
    assert ran == [PLAYWRIGHT, *SYSTEM]


@pytest.mark.parametrize(("root", "ci"), [(False, True), (True, False)])
def test_else_the_command_to_run_is_printed(
    machine: Machine, capsys: pytest.CaptureFixture[str], root: bool, ci: bool
) -> None:
    ran = machine(finds=[None, None], root=root, ci=ci)
    assert chromium.install() == 1
    assert ran == [PLAYWRIGHT]
    assert "-m playwright install chromium`" in capsys.readouterr().err


def test_a_named_one_comes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.touch(0o755)
    monkeypatch.setenv("CHROMIUM", str(mine))
    assert chromium.find_chromium() == str(mine)
