"""`python -m implementations.core.data`: get data sets, say where they lie."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path

from implementations.core.data.dataset import DataError, Dataset
from implementations.core.data.loading import NAMES, load
from implementations.core.data.store import Store, data_folder

_EXAMPLES = """\
Files lie in the folder that DATA names, or in your cache. Examples:
  python -m implementations.core.data                  what is there, and where
  python -m implementations.core.data mnist power      download and prepare these two
  DATA=/data python -m implementations.core.data --offline mnist
                                                       load it from there
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Load each data set that is named, or say of all whether their files are there."""
    parser = ArgumentParser(
        "python -m implementations.core.data",
        description="Get data sets ready, and say where they lie.",
        epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--folder", type=Path, help="where files lie (before DATA)")
    parser.add_argument("--offline", action="store_true", help="download nothing")
    given = parser.parse_args(arguments)
    folder: Path = given.folder or data_folder()
    if not given.names:
        print(_listing(folder))
        return 0
    try:
        for name in given.names:
            print(_described(load(name, folder, download=not given.offline)))
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. Run it again: it goes on from here.", file=sys.stderr)
        return 130
    print(f"Files lie in {folder}")
    return 0


def _listing(folder: Path) -> str:
    lines = [f"In {folder}:"]
    for name in NAMES:
        store = Store(name, folder)
        missing = [needed for needed in store.needed if not store.find(needed)]
        sources = {needed.source for needed in missing}
        size = sum(source.size for source in sources if not store.find_source(source))
        if not missing:
            state = "there"
        elif all(map(store.find_source, sources)):
            state = "there, to be unpacked"
        else:
            state = f"to be downloaded, {size / 1e6:,.0f} MB"
        lines.append(f"  {name:26}{state}")
    return "\n".join(lines)


def _described(data: Dataset) -> str:
    rows = ", ".join(f"{len(split):,} {name}" for name, split in data.splits.items())
    kind = str(data.train.x.dtype).removeprefix("torch.")
    shape = "×".join(map(str, data.shape))
    labels = f", {data.classes} classes" if data.classes else ""
    return f"{data.name}: {rows}; {shape} {kind}{labels}\n  {data.preparation}"


if __name__ == "__main__":
    sys.exit(main())
