"""links.jsonl: what is not as it should be, one address per line, and since when.

An address that answers, and has not moved, has no line.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urldefrag

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scripts.base.files import write_atomic
from scripts.catalogue.faults import CatalogueError, Fault, quote
from scripts.links.answers import Answer

FILE = "links.jsonl"
# Two answers "gone" count as two when at least this lies between them.
APART = datetime.timedelta(days=1)

State = Literal["alive", "unknown", "dead"]
Address = Annotated[str, Field(pattern=r"^https?://[!-~]+$")]


class Record(BaseModel):
    """The state of an address, and `since` when it has it; all times are in UTC.

    `gone` is when it first answered that it is gone, if no answer since refutes it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Address
    state: State
    why: str
    since: datetime.datetime
    gone: datetime.datetime | None = None
    moved: Address | None = None


History = Mapping[str, Record]


def key(address: str) -> str:
    """Return what is asked for: the address without a place within the page."""
    return urldefrag(address).url


def follows(
    before: Record | None, url: str, answer: Answer, asked: datetime.datetime
) -> Record | None:
    """Return what an answer makes of what was known; nothing where all is well.

    Dead needs two answers "gone", a day apart. What is unclear neither confirms nor
    refutes the first; any page that is there refutes it at once.
    """
    if answer.kind == "here":
        return _moved(before, url, answer, asked) if answer.moved else None
    gone = before.gone if before else None
    state: State = "unknown"
    if answer.kind == "gone":
        gone = min(gone or asked, asked)
        state = "dead" if asked - gone >= APART else "unknown"
    same = before is not None and before.state == state
    since = before.since if before and same else asked
    return Record(url=url, state=state, why=answer.why, since=since, gone=gone)


def _moved(
    before: Record | None, url: str, answer: Answer, asked: datetime.datetime
) -> Record:
    same = before is not None and before.moved == answer.moved
    since = before.since if before and same else asked
    why = "moved for good"
    return Record(url=url, state="alive", why=why, since=since, moved=answer.moved)


def dead(history: History) -> dict[str, datetime.date]:
    """Return the addresses that are dead, and the day since which they are gone."""
    return {
        url: (record.gone or record.since).date()
        for url, record in history.items()
        if record.state == "dead"
    }


def dead_in(folder: Path) -> dict[str, datetime.date]:
    """Return what is dead according to the history in a folder, if there is one."""
    return dead(read(folder / FILE))


def write(path: Path, records: Iterable[Record]) -> bool:
    """Replace the history whole where it differs; say whether it did."""
    lines = sorted((record.url, _line(record)) for record in records)
    content = "".join(f"{line}\n" for _, line in lines)
    if path.exists() and path.read_text("utf-8") == content:
        return False
    write_atomic(path, content)
    return True


def _line(record: Record) -> str:
    fields = record.model_dump(mode="json", exclude_none=True)
    return json.dumps(fields)


def read(path: Path) -> dict[str, Record]:
    """Read the history; raises CatalogueError that says which lines are at fault."""
    try:
        content = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        problem = f"cannot be read: {(error.strerror or 'unknown error').lower()}"
        raise CatalogueError([_fault(path, 1, problem)]) from None
    except UnicodeDecodeError:
        raise CatalogueError([_fault(path, 1, "is not UTF-8")]) from None
    records: dict[str, Record] = {}
    faults = list(_read(path, content, records))
    if faults:
        raise CatalogueError(faults)
    return records


def _read(path: Path, content: str, records: dict[str, Record]) -> Iterator[Fault]:
    """Fill in the records line by line; yield what is wrong with them."""
    last = ""
    for number, line in enumerate(content.removesuffix("\n").split("\n"), 1):
        if not content:
            return
        try:
            record = Record.model_validate(json.loads(line))
        except (ValueError, RecursionError) as error:
            yield _fault(path, number, *_problem(error))
            continue
        if problem := _inconsistent(record) or _misplaced(record.url, last):
            yield _fault(path, number, problem)
        records[record.url] = record
        last = record.url


def _problem(error: Exception) -> tuple[str, int]:
    """Say what is wrong with a line, and at which column."""
    if isinstance(error, json.JSONDecodeError):
        return "is no JSON", error.colno
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the line"
        return f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}", 1
    return "is nested too deeply", 1


def _inconsistent(record: Record) -> str:
    if any(time and not time.tzinfo for time in (record.since, record.gone)):
        return "its times lack a time zone"
    if record.state == "dead" and not record.gone:
        return 'is "dead", but does not say since when it is gone'
    if (record.state == "alive") != bool(record.moved):
        return 'is "alive" without having moved, or has moved without being "alive"'
    return ""


def _misplaced(url: str, last: str) -> str:
    if url == last:
        return f"{quote(url)} is there twice"
    return f"{quote(url)} is not in its place in the alphabet" if url < last else ""


def _fault(path: Path, line: int, problem: str, column: int = 1) -> Fault:
    fix = "put back what git has, or delete the line: `make links` finds out again"
    return Fault(path.name, line, column, "links", problem, fix)
