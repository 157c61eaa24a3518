"""The answer of an address, and the judgement that follows from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["here", "gone", "unclear"]

# The service, or the network, may have a bad moment.
_BUSY = {408, 425, 429, 500, 502, 503, 504}
# Longer pauses than this are for the next run.
LONGEST_PAUSE = 120
_LONGEST_ADDRESS = 1_000


@dataclass(frozen=True)
class Answer:
    """The answer of an address; `why` says in our words what is not as it should be.

    `status` is HTTP's, where there was an answer of any kind. `moved` is where the
    address leads for good, `again` whether to ask once more, after `pause` seconds.
    """

    kind: Kind
    why: str = ""
    status: int | None = None
    moved: str | None = None
    again: bool = False
    pause: int = 0


SILENCE = Answer("unclear", "no answer in time", again=True)
UNREACHABLE = Answer("unclear", "cannot be reached", again=True)
VANISHED = Answer("gone", "no such host")
NOT_ASKED = Answer("unclear", "its robots.txt asks programs to stay away")


class Account(NamedTuple):
    """LinkChecker's account of one address, in the order of its columns."""

    asked: str
    parent: str
    result: str
    warnings: str
    infos: str
    valid: str
    url: str


def judge(row: Account) -> Answer:
    """Read LinkChecker's account; only 404 and 410 say that an address is gone."""
    if "denied by robots.txt" in row.infos:
        return NOT_ASKED
    if status := re.match(r"(\d{3})\b", row.result):
        return _by_status(int(status[1]), row)
    return _by_error(row.result.partition(":")[0])


def _by_status(status: int, row: Account) -> Answer:
    if 200 <= status < 300:
        moved = moved_for_good(row.asked, row.warnings)
        return Answer("here", status=status, moved=moved)
    if status in (404, 410):
        return Answer("gone", str(status), status)
    again = status in _BUSY
    return Answer("unclear", str(status), status, again=again, pause=_pause(row))


_ERRORS = {
    "ConnectionError": UNREACHABLE,
    "ConnectTimeout": SILENCE,
    "ReadTimeout": SILENCE,
    "SSLError": Answer("unclear", "its certificate is not to be trusted"),
    "TooManyRedirects": Answer("unclear", "redirects without end"),
}


def _by_error(name: str) -> Answer:
    return _ERRORS.get(name, Answer("unclear", "a broken answer", again=True))


def _pause(row: Account) -> int:
    asked_for = re.search(r"Retry-After: (\d{1,9})\b", row.warnings)
    return min(int(asked_for[1]), LONGEST_PAUSE) if asked_for else 0


_HOP = re.compile(r"Redirected to `(?P<to>\S+)' status: (?P<status>\d{3})\b")


def moved_for_good(address: str, warnings: str) -> str | None:
    """Follow an address's redirects as long as they are permanent (301, 308).

    LinkChecker hands one account to all addresses of a chain, so it is read from the
    address on.
    """
    hops = [(hop["to"], hop["status"]) for hop in _HOP.finditer(warnings)]
    stops = [to for to, _ in hops]
    start = stops.index(address) + 1 if address in stops else 0
    new = _last_permanent(hops[start:])
    fits = new and new.startswith(("https://", "http://"))
    return new if fits and new != address and len(new) <= _LONGEST_ADDRESS else None


def _last_permanent(hops: Sequence[tuple[str, str]]) -> str:
    new = ""
    for to, status in hops:
        if status not in ("301", "308"):
            break
        new = to
    return new
