"""Dates known to the day, to the month or to the year; dates and times in words."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_iso = re.compile(
    r"[0-9]{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?"
).fullmatch


@dataclass(frozen=True, order=True)
class PartialDate:
    """A date of which month and day need not be known; they are 0 then.

    It sorts as its ISO form does, before every date that it may turn out to be: 2020,
    2020-02, 2020-02-01. Raises ValueError when no calendar has it.
    """

    year: int
    month: int = 0
    day: int = 0

    def __post_init__(self) -> None:
        if self.day and not self.month:
            raise ValueError("a day of no month")
        datetime.date(self.year, self.month or 1, self.day or 1)

    @classmethod
    def parse(cls, text: str) -> PartialDate:
        """Read 2018-07-09, 2018-07 or 2018; raises ValueError on anything else."""
        if not _iso(text):
            raise ValueError(f"{text} is no ISO date")
        return cls(*map(int, text.split("-")))

    def __str__(self) -> str:
        parts = (self.month, self.day)
        return "-".join([f"{self.year:04}", *(f"{n:02}" for n in parts if n)])

    @property
    def first(self) -> datetime.date:
        """The first day that it may be."""
        return datetime.date(self.year, self.month or 1, self.day or 1)


def long_date(date: PartialDate | datetime.date) -> str:
    """Oct 30, 2014, or as much of it as is known; the same in every locale."""
    if not date.month:
        return str(date.year)
    day = f" {date.day}," if date.day else ""
    return f"{_MONTHS[date.month - 1]}{day} {date.year}"


def duration(seconds: int) -> str:
    """47 s, 2 min, or 1 min 47 s."""
    minutes, rest = divmod(seconds, 60)
    parts = (f"{minutes} min" if minutes else "", f"{rest} s" if rest else "")
    return " ".join(filter(None, parts)) or "0 s"
