"""Commands that run at once take turns: what each of them wrote is there."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from scripts.base.files import turn, write_atomic
from tests.whole.tree import COMMANDS, Tree, add, scripts


def together(tree: Tree, *commands: list[str]) -> list[str]:
    """Run commands at the same time; return what went wrong."""
    running = [tree.start(*scripts(*command)) for command in commands]
    return [err for process in running if (err := process.communicate(timeout=120)[1])]


@pytest.mark.thorough
def test_of_several_entries_at_once_none_is_lost(tree: Tree) -> None:
    videos = [add(letter * 11, title=f"Video {letter}") for letter in "ABC"]
    assert together(tree, *videos, COMMANDS["new"], COMMANDS["readme"]) == []
    listed = (tree.root / "resources.yaml").read_text("utf-8")
    for letter in "ABC":
        assert f"title: Video {letter}\n" in listed
    assert "wanted" not in listed
    checked = tree.run(*scripts("readme", "--check"))
    assert checked.returncode == 0, checked.stdout


def test_of_twins_at_once_one_is_added(tree: Tree) -> None:
    (told,) = together(tree, COMMANDS["add"], COMMANDS["add"])
    assert "it is on the list already, as video_lovelace" in told


@pytest.mark.long
@pytest.mark.parametrize("name", ["notebooks", "claims", "figures"])
def test_two_runs_come_to_the_same_as_one(
    name: str, tree: Tree, old: Tree, tmp_path: Path
) -> None:
    one = old.copy(tmp_path / "one")
    assert one.run(*scripts(*COMMANDS[name])).returncode == 0
    assert together(tree, COMMANDS[name], COMMANDS[name]) == []
    assert tree.state() == one.state()


def test_a_turn_ends_with_whoever_took_it(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), turn(tmp_path):
        raise ZeroDivisionError
    with turn(tmp_path):
        write_atomic(tmp_path / "new", "")


def test_where_folders_cannot_be_locked_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with turn(tmp_path):
        write_atomic(tmp_path / "new", "")
    assert (tmp_path / "new").exists()
