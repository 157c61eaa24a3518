"""The command line: what each command prints, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import readme
from scripts.__main__ import main
from scripts.base.project import ROOT
from scripts.execute import figures
from tests.frozen import copy_list


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tests' own list."""
    copy_list(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("form", "printed"), [("text", "no faults\n"), ("github", ""), ("json", "[]\n")]
)
def test_a_list_without_faults_is_said_to_have_none(
    folder: Path, form: str, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--format", form]) == 0
    out, err = capsys.readouterr()
    assert err == "" and (out.endswith(printed) if printed else out == "")


@pytest.mark.parametrize("form", ["github", "json"])
def test_faults_for_programs_are_printed_to_them(
    folder: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "resources.yaml"
    file.write_text(file.read_text("utf-8").replace("id: maf", "id: MAF", 1), "utf-8")
    with pytest.raises(SystemExit, match="1"):
        main(["check", "--format", form])
    out, err = capsys.readouterr()
    assert err == "" and "MAF" in out
    if form == "json":
        assert {fault["file"] for fault in json.loads(out)} == {"resources.yaml"}


def test_the_schema_is_printed_as_it_is_committed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["schema"]) == 0
    assert capsys.readouterr().out == (ROOT / "resources.schema.json").read_text()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["notebooks", "--only", "nic"], "did you mean nice?"),
        (["claims", "--only", "nic"], "did you mean nice?"),
        (["new", "nice"], "implementations/nice.py is there already"),
    ],
)
def test_commands_speak_of_this_project(
    command: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(command) == 1
    assert told in capsys.readouterr().err


def test_whether_figures_are_fresh_is_the_exit_status() -> None:
    assert main(["figures", "--check"]) == figures.run(ROOT, check=True)


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (KeyboardInterrupt(), 130, "Interrupted; no file is half-written"),
        (PermissionError(13, "Permission denied", "x"), 1, "Permission denied: 'x'"),
    ],
)
def test_what_ends_a_command_early_is_told_in_one_line(
    folder: Path,
    error: BaseException,
    status: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*arguments: Any) -> int:
        raise error

    monkeypatch.setattr(readme, "write", fail)
    assert main(["readme"]) == status
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1


@pytest.mark.parametrize(("command", "status"), [("schema", 0), ("new nice", 1)])
def test_who_stops_reading_changes_nothing(command: str, status: int) -> None:
    """As `head` does: the command comes to its end, and says nothing of it."""
    read, write = os.pipe()
    os.close(read)
    run = [sys.executable, "-m", "scripts", *command.split()]
    ran = subprocess.run(run, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True)
    assert (ran.returncode, ran.stderr.count("\n")) == (status, status)
    unheard = subprocess.run(run, cwd=ROOT, stdout=write, stderr=write)
    os.close(write)
    assert unheard.returncode == status
