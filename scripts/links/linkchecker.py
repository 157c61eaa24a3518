"""LinkChecker as a program of its own: asked politely, heard row by row, and ended.

It waits for pauses of a connection, not for its whole length, and reads the whole body
of a redirect. So whoever sends a little at a time, or never ends, could hold it up for
good. Here it has so much time and memory, and no more.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

from scripts.base.files import write_atomic
from scripts.links.answers import Account

# Each address has a thread of its own, so that one which holds its own up holds up no
# other; beyond as many they share.
_MOST_THREADS = 100
_MEMORY = 4 * 2**30
_TO_START = 60
# What it needs of our environment: nothing that is secret.
_PASSED_ON = {
    *("PATH", "SYSTEMROOT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
}
_SET = {
    "LC_ALL": "C.UTF-8",  # the language of its messages, which are read
    "PYTHONWARNINGS": "ignore",
    # On many cores each thread would take 64 MiB for itself; a hundred have no room.
    "MALLOC_ARENA_MAX": "2",
}
_COLUMNS = "urlname,parentname,result,warningstring,infostring,valid,url"
# Ten redirects, each to the longest address that Python's HTTP reads.
csv.field_size_limit(2**24)


class LinkCheckerError(Exception):
    """LinkChecker does not run; the message is its own."""


class Stuck(LinkCheckerError):
    """It runs, but has printed nothing for too long."""


@dataclass(frozen=True)
class LinkChecker:
    """Asks as `agent`, each host at most `rate` times a second.

    It waits `seconds` for a connection and for each piece of an answer. After
    `patience` seconds without any row it is ended.
    """

    agent: str
    seconds: int = 20
    patience: float = 90
    rate: float = 1

    def ask(self, addresses: Sequence[str]) -> Generator[Account, None, None]:
        """Ask each address once; some may be left without an answer."""
        waiting = set(addresses)
        with self._running(addresses, depth=0) as rows, suppress(Stuck):
            for row in rows:
                if row.asked in waiting:
                    waiting.remove(row.asked)
                    yield row
                if not waiting:
                    return

    def crawl(self, start: str) -> Generator[Account, None, None]:
        """Follow the links of a website from page to page; none that leads outside.

        Each address has one row, with the first page found that links to it. Raises
        LinkCheckerError where it gets stuck, since the rest would seem not to be there.
        """
        with self._running([start], depth=-1) as rows:
            yield from rows

    @contextmanager
    def _running(
        self, starts: Sequence[str], depth: int
    ) -> Iterator[Iterator[Account]]:
        with tempfile.TemporaryDirectory() as home:
            settings = Path(home) / "linkcheckerrc"
            write_atomic(settings, self._settings(len(starts), depth))
            process = _start(settings)
            try:
                yield _rows(process, starts, self.patience)
            finally:
                process.kill()
                process.wait()

    def _settings(self, starts: int, depth: int) -> str:
        rate, threads = self.rate, min(starts, _MOST_THREADS)
        if depth < 0:  # our own site, on this machine
            rate, threads = 10_000, 4
        return (
            f"[checking]\nthreads={threads}\ntimeout={self.seconds}\n"
            f"maxrequestspersecond={rate}\nrecursionlevel={depth}\n"
            f"useragent={self.agent}\n"
            "[output]\nlog=csv\nverbose=1\nstatus=0\n"
            f"[csv]\nencoding=utf-8\nparts={_COLUMNS}\n"
        )


def _start(settings: Path) -> subprocess.Popen[str]:
    home = str(settings.parent)
    kept = {name: value for name, value in os.environ.items() if name in _PASSED_ON}
    homes = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), home)
    process = subprocess.Popen(
        [sys.executable, "-m", "linkcheck", "--config", str(settings), "--stdin"],
        cwd=home,
        env={**kept, **homes, **_SET},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # Ctrl-C is for us
    )
    _limit_memory(process.pid)
    return process


def _limit_memory(pid: int) -> None:
    """Bound what a process may have, where the system can (Linux)."""
    if sys.platform == "linux":
        import resource

        resource.prlimit(pid, resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def _rows(
    process: subprocess.Popen[str], starts: Iterable[str], patience: float
) -> Iterator[Account]:
    """Yield rows as they come after their head; Stuck when none comes for too long."""
    said: SimpleQueue[Account | None] = SimpleQueue()
    errors: list[str] = []
    assert process.stdin and process.stdout and process.stderr
    reader = threading.Thread(target=_read, args=(process.stdout, said), daemon=True)
    complaints = threading.Thread(
        target=_collect, args=(process.stderr, errors), daemon=True
    )
    reader.start()
    complaints.start()
    with suppress(BrokenPipeError):  # why it ended is told below
        process.stdin.write("\n".join(starts))
        process.stdin.close()
    try:
        head = said.get(timeout=_TO_START)
    except Empty:
        raise LinkCheckerError(f"it did not start within {_TO_START} s") from None
    if head is None:
        complaints.join()
        raise LinkCheckerError("".join(errors[-5:]).strip() or "it printed nothing")
    try:
        while row := said.get(timeout=patience):
            yield row
    except Empty:
        raise Stuck(f"it printed nothing for {patience} s") from None


def _read(stream: IO[str], said: SimpleQueue[Account | None]) -> None:
    with stream, suppress(csv.Error):  # ended in the middle of a row
        for fields in csv.reader(stream, delimiter=";"):
            if len(fields) == len(Account._fields):
                said.put(Account(*fields))
    said.put(None)


def _collect(stream: IO[str], lines: list[str]) -> None:
    with stream:
        lines.extend(stream)
