"""The files of benchmarks/results/: read, and written a row of a table a line."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from scripts.base.files import write_atomic
from scripts.results.forms import Head
from scripts.results.rows import as_rows

Report = TypeVar("Report", bound=Head)


class ResultsError(ValueError):
    """Results are missing, or have another form; the message says what writes them."""


def read(form: type[Report], path: Path) -> Report:
    """Read a file of results; raises ResultsError."""
    name, command = f"{path.parent.name}/{path.name}", f"benchmarks.{path.stem}"
    try:
        return form.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        fix = f"`python -m {command}` writes it"
        raise ResultsError(f"{name} is missing; {fix}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        fix = f"`python -m {command}` writes it anew"
        raise ResultsError(f"{name}: {place}: {first['msg']}; {fix}") from None


def write(report: Head, path: Path) -> None:
    """Write results, a row of a table a line."""
    write_atomic(path, as_rows(report.model_dump(mode="json")))
