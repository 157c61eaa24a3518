"""gpu.json: written after each part, whole, and read back by the site's form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.gpu.parts import PARTS
from benchmarks.gpu.running import PartOutcome
from scripts.base.files import write_atomic
from scripts.results.rows import as_rows

Fields = dict[str, Any]


def empty(head: Mapping[str, Any]) -> Fields:
    """Return a report in which nothing is measured."""
    return {**head, "endings": [], **{part.name: [] for part in PARTS}}


def kept(path: Path, head: Mapping[str, Any]) -> Fields:
    """Return the report that is there, or an empty one.

    Raises:
        ValueError: when it is another card's, or of other versions.
    """
    if not path.exists():
        return empty(head)
    fields = json.loads(path.read_text("utf-8"))
    for name in ("gpu", "versions"):
        if fields[name] != head[name]:
            raise ValueError(
                f"{path.name} has {name} {fields[name]}, here it is {head[name]}: "
                "measure all parts, or say --out for another folder"
            )
    return {**fields, **head}


def add(fields: Fields, name: str, outcome: PartOutcome) -> None:
    """Put what a part has handed over in the place of what was there of it."""
    rows = _by_promise(outcome.rows) if name == "contract" else outcome.rows
    fields[name] = rows
    ending = {
        "part": name,
        "seconds": outcome.seconds,
        "why": outcome.why,
        "left_out": outcome.left_out,
    }
    others = [each for each in fields["endings"] if each["part"] != name]
    fields["endings"] = [*others, ending]


def write(fields: Fields, path: Path) -> None:
    """Write the report, a row a line."""
    write_atomic(path, as_rows(fields))


def fault(path: Path) -> str | None:
    """Say what the site would refuse in the report; None where nothing is."""
    if find_spec("pydantic") is None:
        print("pydantic is not installed: `make site` will check the form of gpu.json")
        return None
    from scripts.results.files import ResultsError, read
    from scripts.results.gpu import Gpu

    try:
        read(Gpu, path)
    except ResultsError as error:
        return str(error)
    return None


def _by_promise(answers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Sum up the contract's answers; a line without a case announces one."""
    rows: dict[str, dict[str, Any]] = {}
    for each in answers:
        empty = {"promise": each["promise"], "cases": 0, "kept": 0, "broken": []}
        row = rows.setdefault(each["promise"], empty)
        if "case" not in each:
            row["cases"] += 1
        elif each["said"]:
            row["broken"].append(f"{each['case']}: {each['said']}")
        else:
            row["kept"] += 1
    return list(rows.values())
