"""software.jsonl: what GitHub says of the list's repositories, a line each.

One that nobody could ask about yet has no line, and is said to be unknown.
"""

from __future__ import annotations

import datetime
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from scripts.base.files import turn, write_atomic
from scripts.catalogue import Catalogue, Code, Entry
from scripts.catalogue.faults import CatalogueError, Fault
from scripts.sources.services import Services
from scripts.sources.web import NotFound, WebError

FILE = "software.jsonl"
# What was heard so lately is not asked again.
KEPT = datetime.timedelta(days=28)
# Software that has changed within it is active.
ACTIVE = datetime.timedelta(days=2 * 365)

State = Literal["active", "quiet", "archived", "unknown"]


class Upkeep(BaseModel):
    """A repository on the day when GitHub was asked about it.

    `pushed` is the day of its last change, `licence` its name in SPDX, if known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    asked: datetime.date
    pushed: datetime.date
    archived: bool = False
    licence: str = ""

    @property
    def state(self) -> State:
        """Active, quiet or archived, as far as its last change tells."""
        if self.archived:
            return "archived"
        return "active" if self.asked - self.pushed <= ACTIVE else "quiet"


def repository(entry: Entry) -> str:
    """The owner and the name of software on GitHub; of all else, nothing."""
    found = re.match(r"https://github\.com/([\w.-]+/[\w.-]+)", entry.url)
    return found[1].lower() if found and isinstance(entry, Code) else ""


def state(entry: Entry, known: Mapping[str, Upkeep]) -> State:
    """The state of software; unknown where GitHub has not told."""
    upkeep = known.get(repository(entry))
    return upkeep.state if upkeep else "unknown"


def read(path: Path) -> dict[str, Upkeep]:
    """Read the file; raises CatalogueError at the first line that is at fault."""
    known: dict[str, Upkeep] = {}
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            upkeep = Upkeep.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "the line"
            problem = f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}"
            fix = "put back what git has, or delete the line: `make links` asks again"
            fault = Fault(path.name, number, 1, "software", problem, fix)
            raise CatalogueError([fault]) from None
        known[upkeep.repository] = upkeep
    return known


def renew(
    root: Path, catalogue: Catalogue, services: Services, today: datetime.date
) -> None:
    """Ask GitHub about repositories that were not asked about lately, one by one.

    Where it tells no more, as it does to whoever asks too much, the rest stays as it
    was. What is no longer on the list is forgotten.
    """
    path = root / FILE
    known = read(path)
    listed = list(dict.fromkeys(filter(None, map(repository, catalogue.code))))
    waiting = [name for name in listed if _is_old(known.get(name), today)]
    print(f"→ Asking GitHub about {len(waiting)} repositories")
    with turn(root):
        heard = {upkeep.repository: upkeep for upkeep in _ask(waiting, services, today)}
        after = {**known, **heard}
        lines = (_line(after[name]) for name in sorted(listed) if name in after)
        content = "".join(lines)
        if not path.exists() or path.read_text("utf-8") != content:
            write_atomic(path, content)
            print(f"{FILE} written")


def _is_old(upkeep: Upkeep | None, today: datetime.date) -> bool:
    return upkeep is None or today - upkeep.asked >= KEPT


def _ask(
    names: list[str], services: Services, today: datetime.date
) -> Iterator[Upkeep]:
    for name in names:
        try:
            told = services.upkeep(name)
        except NotFound:
            continue  # its address is asked, too, and marked where it is dead
        except WebError as error:
            print(f"GitHub tells no more for now: {error}", file=sys.stderr)
            return
        if told.pushed:
            yield Upkeep.model_validate(
                {"repository": name, "asked": today, **told._asdict()}
            )


def _line(upkeep: Upkeep) -> str:
    fields = upkeep.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(fields) + "\n"
