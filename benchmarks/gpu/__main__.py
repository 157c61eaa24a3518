"""`make gpu`: ask a GPU everything, in eight minutes, without a network."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.command import FOLDER, named
from benchmarks.gpu import report
from benchmarks.gpu.parts import PARTS, Part, Place
from benchmarks.gpu.running import ROOT, PartOutcome, run_part, variables
from benchmarks.machine import NOT_MEASURED

MINUTES = 8.0
HEAD_SECONDS = 120
# A part that has less would do nothing but import.
LEAST_SECONDS = 10.0


def head() -> dict[str, Any]:
    """Ask what there is.

    Raises:
        RuntimeError: when there is no answer.
    """
    command = [sys.executable, "-m", "benchmarks.gpu.head"]
    try:
        asked = subprocess.run(
            command,
            cwd=ROOT,
            env=variables(Place("cuda", smoke=False)),
            stdout=subprocess.PIPE,
            timeout=HEAD_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(
            f"torch or the card did not answer in {HEAD_SECONDS} seconds"
        ) from None
    if asked.returncode:
        raise RuntimeError("torch does not start: the message above says why")
    return json.loads(asked.stdout)


def limits(
    parts: Sequence[Part], end: float, smoke: bool
) -> Iterator[tuple[Part, float]]:
    """Give each part its share of the time that is left: what one saves, others get.

    A trial on a busy machine may be slow; there a part may take all that is left.
    """
    for number, part in enumerate(parts):
        left = max(0.0, end - time.monotonic())
        shares = part.seconds / sum(each.seconds for each in parts[number:])
        yield part, left if smoke else left * shares


def measure(
    parts: Sequence[Part], place: Place, fields: report.Fields, path: Path, end: float
) -> list[str]:
    """Run the parts; write the report after each; return what failed, in words."""
    failed = []
    for part, limit in limits(parts, end, place.smoke):
        print(f"→ {part.title}, {limit:.0f} seconds at most", flush=True)
        outcome = PartOutcome(why="not measured: the time was over")
        if limit >= LEAST_SECONDS:
            outcome = run_part(part, place, limit)
        report.add(fields, part.name, outcome)
        report.write(fields, path)
        rows = f"{len(fields[part.name])} rows in {outcome.seconds:.0f} seconds"
        print(f"  {rows}", *_not_whole(outcome), sep="\n  ", flush=True)
        if outcome.failed or (place.smoke and outcome.left_out):
            failed.append("; ".join([part.title, *_not_whole(outcome)]))
    return failed


def _not_whole(outcome: PartOutcome) -> list[str]:
    return [*outcome.left_out, *filter(None, [outcome.why])]


@contextmanager
def folder(out: Path | None, measured: bool) -> Iterator[Path]:
    """Yield where to write: what is only a trial is written nowhere that stays."""
    if out or measured:
        yield out or FOLDER
        return
    with tempfile.TemporaryDirectory(prefix="gpu-") as scratch:
        yield Path(scratch)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description="Measure on a GPU, without a network, in "
        f"{MINUTES:g} minutes: {'; '.join(part.title for part in PARTS)}. Writes "
        "benchmarks/results/gpu.json after each part, which can be committed as it "
        "is. Without a GPU it checks every part at tiny sizes, and writes nothing.",
    )
    parser.add_argument(
        "--only",
        metavar="PART,…",
        help=f"of {', '.join(part.name for part in PARTS)}; of the others stays what "
        "the file has",
    )
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="see that every part runs, at tiny sizes; write nothing unless --out is "
        "given",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=MINUTES,
        help=f"for all parts together (default: {MINUTES:g})",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to write")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure or check; return 1 when a part failed."""
    end = time.monotonic()
    parser = _parser()
    args = parser.parse_args(arguments)
    by_name = {part.name: part for part in PARTS}
    parts = [by_name[name] for name in named(parser, args.only, by_name)]
    end += 60 * args.minutes
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        begin = head()
        place = _place(begin, args.smoke)
        with folder(args.out, measured=not place.smoke) as out:
            path = out / "gpu.json"
            some = len(parts) < len(PARTS)
            fields = report.kept(path, begin) if some else report.empty(begin)
            failed = measure(parts, place, fields, path, end)
            failed += filter(None, [report.fault(path)])
            if args.out or not place.smoke:
                use = "a trial" if place.smoke else "it can be committed as it is"
                print(f"Written: {path} ({use})")
    except (OSError, RuntimeError, ValueError) as error:
        failed = [str(error)]
    except KeyboardInterrupt:
        failed = ["interrupted: the parts that had ended are written"]
    print(*failed, sep="\n", end="\n" if failed else "", file=sys.stderr)
    return 1 if failed else 0


def _place(begin: Mapping[str, Any], smoke: bool) -> Place:
    """Say what there is, and return where to run."""
    versions = ", ".join(f"{name} {n}" for name, n in begin["versions"].items())
    if begin["gpu"] == NOT_MEASURED:
        print("No GPU here: nothing is measured, and every part checked on the CPU")
        print(versions, flush=True)
        return Place("cpu", smoke=True)
    print(f"{begin['gpu']}, {versions}", flush=True)
    return Place("cuda", smoke)


if __name__ == "__main__":
    sys.exit(main())
