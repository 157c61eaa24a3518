"""Two answers a day apart make a death; the file is whole, or says what is wrong."""

from __future__ import annotations

import datetime
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.base.project import ROOT
from scripts.catalogue import CatalogueError
from scripts.links import history
from scripts.links.answers import VANISHED, Answer
from scripts.links.history import APART, Record, follows

URL = "https://example.org/a"
START = datetime.datetime(2026, 11, 23, 5, 17, tzinfo=datetime.UTC)
HERE = Answer("here", status=200)
GONE = Answer("gone", "404", 404)
BUSY = Answer("unclear", "503", 503, again=True)
MOVED = Answer("here", status=200, moved="https://example.org/b")


def after(*answers: tuple[float, Answer]) -> Record | None:
    """The record after answers, each so many days after the start."""
    record = None
    for days, answer in answers:
        asked = START + datetime.timedelta(days=days)
        record = follows(record, URL, answer, asked)
    return record


def state(*answers: tuple[float, Answer]) -> str:
    record = after(*answers)
    return record.state if record else "alive"


@pytest.mark.parametrize(
    ("expected", "answers"),
    [
        ("alive", [(0, HERE)]),
        ("unknown", [(0, GONE)]),
        ("unknown", [(0, GONE), (0.99, GONE)]),
        ("unknown", [(0, GONE), (0.3, GONE), (0.6, GONE), (0.9, GONE)]),
        ("dead", [(0, GONE), (1, GONE)]),
        ("dead", [(0, GONE), (0.9, GONE), (1.1, GONE)]),
        ("dead", [(0, GONE), (7, VANISHED)]),
        ("dead", [(0, GONE), (7, BUSY), (14, GONE)]),
        ("unknown", [(0, GONE), (7, BUSY)]),
        ("unknown", [(0, GONE), (7, GONE), (14, BUSY)]),
        ("unknown", [(0, BUSY), (7, BUSY), (14, BUSY)]),
        ("unknown", [(0, BUSY), (7, GONE)]),
        ("alive", [(0, GONE), (7, GONE), (14, HERE)]),
        ("unknown", [(0, GONE), (7, HERE), (14, GONE)]),
        ("unknown", [(0, GONE), (0.5, HERE), (1, GONE), (1.5, HERE), (2, GONE)]),
        ("unknown", [(0, GONE), (7, MOVED), (14, GONE)]),
        ("alive", [(0, MOVED)]),
        ("unknown", [(5, GONE), (0, GONE)]),  # a clock set back
    ],
)
def test_states(expected: str, answers: list[tuple[float, Answer]]) -> None:
    assert state(*answers) == expected


times = st.lists(st.floats(0, 30), min_size=1, max_size=8).map(sorted)
kinds = st.sampled_from([HERE, GONE, BUSY, VANISHED, MOVED])


@settings(max_examples=200, derandomize=True, deadline=None)
@given(times, st.lists(kinds, min_size=8, max_size=8))
def test_whatever_comes_dead_means_gone_now_and_a_day_ago_and_never_here_since(
    days: list[float], answers: list[Answer]
) -> None:
    said = list(zip(days, answers, strict=False))
    since = [n for n, (_, answer) in enumerate(said) if answer.kind == "here"][-1:] or [
        -1
    ]
    gone = [day for day, answer in said[since[0] + 1 :] if answer.kind == "gone"]
    last = said[-1][1].kind
    apart = len(gone) > 1 and gone[-1] - gone[0] >= APART / datetime.timedelta(days=1)
    assert (state(*said) == "dead") == (last == "gone" and apart)


def test_since_is_when_it_began() -> None:
    record = after((0, BUSY), (7, BUSY), (14, BUSY))
    assert record and record.since == START
    record = after((0, MOVED), (7, MOVED))
    assert record and (record.since, record.moved) == (START, MOVED.moved)
    record = after((0, HERE), (7, GONE), (14, GONE), (21, GONE))
    assert record and record.gone == START + datetime.timedelta(days=7)


def records() -> list[Record]:
    made = [
        follows(None, f"{URL}/{n}", answer, START)
        for n, answer in enumerate([MOVED, GONE, BUSY])
    ]
    made.append(after((0, GONE), (7, GONE)))
    return [record for record in made if record]


def test_the_file_is_sorted_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / history.FILE
    assert history.write(path, records())
    lines = path.read_text().splitlines()
    assert len(lines) == 4
    urls = [record.url for record in records()]
    assert list(history.read(path)) == sorted(urls)
    assert set(history.read(path).values()) == set(records())
    assert not history.write(path, reversed(records()))
    assert history.dead_in(tmp_path) == {URL: START.date()}


def test_there_need_be_no_history(tmp_path: Path) -> None:
    assert history.read(tmp_path / history.FILE) == {}
    (tmp_path / history.FILE).touch()
    assert history.read(tmp_path / history.FILE) == {}


def test_the_committed_history_is_without_fault() -> None:
    history.read(ROOT / history.FILE)


GOOD = '{"url": "https://example.org/%s", "state": "unknown", "why": "503", "since": "2026-11-23T05:17:00Z"}'  # noqa: E501


@pytest.mark.parametrize(
    ("content", "place", "said"),
    [
        (GOOD % "a" + "\n{", "2:2", "is no JSON"),
        (GOOD % "a" + "\n\n" + GOOD % "b", "2:1", "is no JSON"),
        ("<<<<<<< HEAD\n" + GOOD % "a", "1:1", "is no JSON"),
        ("[]", "1:1", "the line: input should be"),
        ("[" * 100_000, "1:1", "is nested too deeply"),
        (GOOD.replace("unknown", "ded"), "1:1", "state: input should be 'alive'"),
        (GOOD.replace("unknown", "dead"), "1:1", "does not say since when it is gone"),
        (GOOD.replace("unknown", "alive"), "1:1", "without having moved"),
        (GOOD.replace("00Z", "00"), "1:1", "lack a time zone"),
        (GOOD.replace("2026-11-23T", "yesterday "), "1:1", "since: input should be"),
        (GOOD.replace("https://", "javascript:"), "1:1", "url: string should match"),
        (GOOD.replace("https://", "https://a b"), "1:1", "url: string should match"),
        (GOOD.replace('"why"', '"wy"'), "1:1", "why: field required"),
        (GOOD % "b" + "\n" + GOOD % "a", "2:1", "not in its place in the alphabet"),
        (GOOD % "a" + "\n" + GOOD % "a", "2:1", "is there twice"),
    ],
)
def test_a_history_at_fault_says_where(
    tmp_path: Path, content: str, place: str, said: str
) -> None:
    path = tmp_path / history.FILE
    path.write_text(content.replace("%s", "a"))
    with pytest.raises(CatalogueError) as caught:
        history.read(path)
    (fault,) = [str(each) for each in caught.value.faults]
    assert fault.startswith(f"links.jsonl:{place}: ")
    assert said in fault
    assert "`make links` finds out again" in fault


def test_a_history_that_is_no_text_says_so(tmp_path: Path) -> None:
    (tmp_path / history.FILE).write_bytes(b"\xff\x00")
    with pytest.raises(CatalogueError, match="is not UTF-8"):
        history.read(tmp_path / history.FILE)
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(CatalogueError, match="cannot be read: is a directory"):
        history.read(tmp_path / "folder.jsonl")


WRITER = """
import sys, itertools
from pathlib import Path
from scripts.links import history
path = Path(sys.argv[1])
lots = [history.read(path), history.read(Path(sys.argv[2]))]
print("ready", flush=True)
for number in itertools.count():
    history.write(path, lots[number % 2].values())
"""


def test_killed_at_any_moment_it_is_whole(tmp_path: Path) -> None:
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    history.write(old, records()[:2])
    many = [follows(None, f"{URL}/{n}", BUSY, START) for n in range(2_000)]
    history.write(new, [record for record in many if record])
    whole = {old.read_bytes(), new.read_bytes()}
    for number in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(old), str(new)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        with writer:
            assert writer.stdout and writer.stdout.readline() == b"ready\n"
            try:
                writer.wait(0.005 * number)
            except subprocess.TimeoutExpired:
                os.kill(writer.pid, signal.SIGKILL)
        assert old.read_bytes() in whole
