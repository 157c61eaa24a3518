"""One part in a process of its own: `python -m benchmarks.gpu.part MODULE`.

It appends to the file a line of JSON for each thing it has to hand over, so that what
was measured before a crash is there after it.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.gpu import words
from benchmarks.gpu.parts import Place


def without(missing: Sequence[str]) -> str:
    """Say why a part is not measured."""
    verb = "is" if len(missing) == 1 else "are"
    return f"not measured: {', '.join(missing)} {verb} not installed"


def run(module: str, needs: Sequence[str], place: Place, rows: Path) -> int:
    """Run the part that a module is; return the exit status."""

    def append(**line: Any) -> None:
        with rows.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def emit(*what: Mapping[str, Any] | str) -> None:
        words = [each for each in what if isinstance(each, str)]
        append(rows=[each for each in what if each not in words], left_out=words)

    missing = [name for name in needs if find_spec(name) is None]
    if missing:
        append(why=without(missing))
        return 0
    try:
        import_module(module).run(place, emit)
    except ModuleNotFoundError as error:
        append(why=without([str(error.name)]))
    except Exception as error:
        traceback.print_exc()
        append(why=words.of_error(error))
        return 1
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one part, as `benchmarks.gpu` tells it to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.part")
    parser.add_argument("module")
    parser.add_argument("--needs", nargs="*", default=())
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--smoke", action="store_true")
    args = parser.parse_args(arguments)
    place = Place(args.device, args.smoke)
    return run(args.module, args.needs, place, args.rows)


if __name__ == "__main__":
    sys.exit(main())
