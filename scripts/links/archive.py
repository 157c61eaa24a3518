"""Where copies of dead pages are."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from scripts.catalogue import Entry
from scripts.links.entries import addresses
from scripts.links.history import key

NOTHING_DEAD: Mapping[str, datetime.date] = MappingProxyType({})


class Lost(NamedTuple):
    """An address of an entry that is dead: its name, since when, and a copy of it."""

    label: str
    since: datetime.date
    copy: str


def archived(address: str, day: datetime.date) -> str:
    """Return where the archive has the copy that is nearest to a day."""
    return f"https://web.archive.org/web/{day:%Y%m%d}/{address}"


def lost(entry: Entry, dead: Mapping[str, datetime.date]) -> list[Lost]:
    """Return what is dead of an entry, with copies from the day it joined the list."""
    return [
        Lost(label, dead[key(address)], archived(address, entry.added))
        for label, address in addresses(entry)
        if key(address) in dead
    ]
