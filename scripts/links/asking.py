"""Asks every address once or, where the answer is unclear, several times."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from scripts.links.answers import SILENCE, UNREACHABLE, VANISHED, Answer, judge
from scripts.links.cache import Heard
from scripts.links.linkchecker import LinkChecker
from scripts.links.network import Lookup, look_up, lookup
from scripts.links.places import hosts
from scripts.links.videos import Videos
from scripts.sources.services import visible


class NoNetwork(Exception):
    """Nobody answered: that says nothing about any address."""


def utc_now() -> datetime.datetime:
    """Return the time, to the second."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def log(line: str) -> None:
    """Print a line at once, also where the output is kept in a file."""
    print(line, flush=True)


@dataclass
class Asker:
    """Asks, and keeps what was `heard`, of this run and of the last hours.

    What stays unclear is asked `tries` times, with `pause` seconds in between, doubled
    from try to try, or as many as a host asks for.
    """

    checker: LinkChecker
    videos: Videos
    heard: dict[str, Heard] = field(default_factory=dict)
    tries: int = 3
    pause: float = 30
    lookup: Lookup = lookup
    now: Callable[[], datetime.datetime] = utc_now
    log: Callable[[str], None] = log
    _done: int = field(default=0, init=False)
    _total: int = field(default=0, init=False)

    def ask(self, addresses: Iterable[str]) -> None:
        """Ask for all that was not heard; raises NoNetwork when nobody answers."""
        left = [address for address in addresses if address not in self.heard]
        known = dict(self.heard)
        films = [address for address in left if self.videos.question(address)]
        pages = sorted(set(left) - set(films))
        self._total, self._done = len(left), 0
        if known:
            self.log(f"{len(known)} addresses have answered in the last hours")
        self._ask_pages(pages, known)
        for address, answer in self.videos.ask(films):
            self._note(address, answer)
        if left:
            self._check_network(left, known)
            self._find_vanished(left)

    def _ask_pages(self, pages: Collection[str], known: Mapping[str, Heard]) -> None:
        answered = False
        for attempt in range(self.tries):
            again = [page for page in pages if self._is_open(page)]
            if not again:
                break
            if answered:
                self._check_network(pages, known)
            if attempt:
                seconds = max(self._pauses(again), self.pause * 2 ** (attempt - 1))
                self.log(f"asking {len(again)} again in {seconds:.0f} seconds")
                time.sleep(seconds)
            answered = self._ask_once(again)

    def _is_open(self, page: str) -> bool:
        return page not in self.heard or self.heard[page].answer.again

    def _pauses(self, pages: Iterable[str]) -> int:
        return max(self.heard[page].answer.pause for page in pages)

    def _ask_once(self, pages: Collection[str]) -> bool:
        """Return whether LinkChecker answered at all: it may be what is stuck."""
        silent = set(pages)
        with closing(self.checker.ask(sorted(pages))) as rows:
            for row in rows:
                silent.remove(row.asked)
                self._note(row.asked, judge(row))
        for page in sorted(silent):
            self._note(page, SILENCE)
        return len(silent) < len(pages)

    def _note(self, address: str, answer: Answer) -> None:
        if address not in self.heard:
            self._done += 1
        self.heard[address] = Heard(answer, self.now())
        said = " ".join(filter(None, [answer.why, answer.moved and "has moved"]))
        word = {"here": "alive", "gone": "gone", "unclear": "unclear"}[answer.kind]
        # As text of one line, whatever the address holds.
        self.log(
            f"{self._done}/{self._total} {word:8}{visible(address)}"
            + (f" ({said})" if said else "")
        )

    def _check_network(self, asked: Iterable[str], known: Mapping[str, Heard]) -> None:
        """Raise NoNetwork where no host answered, and none of them can be found."""
        heard = [self.heard[a].answer for a in asked if a in self.heard]
        if any(answer.status for answer in heard):
            return
        found = look_up(hosts(self.heard), self.lookup)
        if not known or "found" not in found.values():
            raise NoNetwork

    def _find_vanished(self, asked: Iterable[str]) -> None:
        """Of hosts that cannot be reached, see whose name is gone.

        It counts only while the name of another that has answered is found.
        """
        lost = [a for a in asked if self.heard[a].answer == UNREACHABLE]
        here = [a for a, each in self.heard.items() if each.answer.status]
        missing = look_up(hosts(lost), self.lookup)
        if "found" not in look_up(hosts(here), self.lookup).values():
            return
        for address in lost:
            if any(missing[host] == "missing" for host in hosts([address])):
                self._note(address, VANISHED)
