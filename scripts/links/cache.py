"""Answers of the last hours, so that no host is asked twice for the same thing.

It is only for politeness: what is amiss with it is forgotten, never an error.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from scripts.base.files import write_atomic
from scripts.links.answers import Answer

# Less than a day: it never stands in for the second of two answers a day apart.
KEPT = datetime.timedelta(hours=12)


class Heard(NamedTuple):
    """An answer, and when it came."""

    answer: Answer
    asked: datetime.datetime


_FORM = TypeAdapter(dict[str, Heard])


def read(path: Path, now: datetime.datetime) -> dict[str, Heard]:
    """Return the answers that are fresh and clear; others are asked for again."""
    try:
        heard = _FORM.validate_json(path.read_bytes())
        return {
            address: each
            for address, each in heard.items()
            if each.answer.kind != "unclear"
            and datetime.timedelta(0) <= now - each.asked < KEPT
        }
    except (OSError, ValidationError, TypeError):
        return {}


def write(path: Path, heard: Mapping[str, Heard]) -> None:
    """Keep the answers for the next run."""
    content = {
        address: {"answer": asdict(each.answer), "asked": each.asked.isoformat()}
        for address, each in heard.items()
    }
    write_atomic(path, json.dumps(content, indent=1) + "\n")
