"""One part in a process of its own: `python -m benchmarks.gpu.part speed --rows FILE`.

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
from benchmarks.gpu.parts import PARTS, Part, Place


def without(missing: Sequence[str]) -> str:
    """Say why a part is not measured."""
    verb = "is" if len(missing) == 1 else "are"
    return f"not measured: {', '.join(missing)} {verb} not installed"


def run(part: Part, place: Place, rows: Path) -> int:
    """Run the part; return the exit status."""

    def append(**line: Any) -> None:
        with rows.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def emit(what: Mapping[str, Any] | str) -> None:
        append(**({"left_out": what} if isinstance(what, str) else {"row": what}))

    missing = [name for name in part.needs if find_spec(name) is None]
    if missing:
        append(why=without(missing))
        return 0
    try:
        import_module(f"benchmarks.gpu.{part.name}").run(place, emit)
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
    by_name = {part.name: part for part in PARTS}
    parser.add_argument("part", choices=by_name)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--smoke", action="store_true")
    args = parser.parse_args(arguments)
    return run(by_name[args.part], Place(args.device, args.smoke), args.rows)


if __name__ == "__main__":
    sys.exit(main())
