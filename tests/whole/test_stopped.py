"""Wherever a command is stopped, each file is whole: as it was, or as it should be."""

from __future__ import annotations

import json
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from scripts.__main__ import COMMANDS as COMMAND_LINE
from tests.whole.tree import COMMANDS, READERS, Tree, end, scripts, timeless

WATCHING = Path(__file__).with_name("watching.py")
QUICK, LONG = 20, 200
Copies = Callable[[int], Tree]


class Moment(NamedTuple):
    """When a command is stopped, as a share of the time that it takes, and how."""

    command: str
    share: float
    how: signal.Signals


@cache
def moments(count: int) -> list[Moment]:
    """Return moments spread over the whole of each command, in turn."""
    chance = random.Random(count)
    names = list(COMMANDS)
    each = -(-count // len(names))
    found = []
    for number in range(count):
        stretch, name = divmod(number, len(names))
        share = (stretch + chance.random()) / each
        how = (signal.SIGKILL, signal.SIGINT)[chance.randrange(2)]
        found.append(Moment(names[name], share, how))
    return found


def stop(name: str, count: int, old: Tree, copies: Copies) -> None:
    """Let a command run to its end once, then stop it at each of its moments."""
    done = copies(0)
    started = time.monotonic()
    ran = done.run(*scripts(*COMMANDS[name]))
    seconds = time.monotonic() - started
    assert ran.returncode == 0, ran.stderr
    before, after = old.state(), done.state()
    assert before != after
    for number, moment in enumerate(moments(count), 1):
        if moment.command == name:
            tree = copies(number)
            process = tree.start(*scripts(*COMMANDS[name]))
            time.sleep(moment.share * seconds)
            end(process, moment.how)
            assert process.returncode in (0, 1, 130, -moment.how)
            assert_whole(tree.state(), before, after)


def assert_whole(
    state: dict[str, str], before: dict[str, str], after: dict[str, str]
) -> None:
    """Nothing is missing, nothing is left over, and nothing is half of anything."""
    assert before.keys() <= state.keys() <= before.keys() | after.keys()
    half = [
        name
        for name, text in state.items()
        if text not in (before.get(name), after.get(name))
    ]
    assert half == []


@pytest.mark.sampled
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_stopped_leaves_whole_files(
    name: str, old: Tree, copies: Copies
) -> None:
    stop(name, QUICK, old, copies)


@pytest.mark.long
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_stopped_200_times(
    name: str, old: Tree, copies: Copies
) -> None:
    stop(name, LONG, old, copies)


@pytest.mark.sampled
@pytest.mark.parametrize("name", COMMANDS)
def test_before_every_line_that_runs_the_files_on_disk_are_whole(
    name: str, old: Tree, tree: Tree, tmp_path: Path
) -> None:
    log = tmp_path / "log.json"
    command = [sys.executable, str(WATCHING), str(log), *COMMANDS[name]]
    ran = tree.run(*command)
    assert ran.returncode == 0, ran.stderr
    account = json.loads(log.read_text("utf-8"))
    before, after = old.state(), tree.state()
    assert account["lines"] > 10
    changed = {path for path in after if after[path] != before.get(path)}
    assert changed <= account["seen"].keys()
    for path, held in account["seen"].items():
        if path in before or path in after:
            texts = {text and timeless(text) for text in held}
            assert texts <= {before.get(path), after.get(path)}, path
        else:
            tree.git("check-ignore", "--quiet", path)


def test_every_command_that_writes_is_stopped() -> None:
    assert set(COMMAND_LINE) == COMMANDS.keys() | READERS
