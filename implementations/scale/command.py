"""`python -m implementations.scale RECIPE`, alone or under torchrun."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path

from implementations.core.data import DataError, load
from implementations.scale import results
from implementations.scale.checkpoints import CheckpointError, write_whole
from implementations.scale.inputs import prepare
from implementations.scale.objective import RecipeError
from implementations.scale.options import Options
from implementations.scale.processes import Processes, join, leave, several
from implementations.scale.recipes import RowRecipe
from implementations.scale.tables import RECIPES, find
from implementations.scale.train import Stopped, Training

STOPPED = 128 + 15  # as a shell has it for SIGTERM
ABOUT = """\
Train a row of a paper's table on its data, and write what it comes to beside what the
paper reports, into implementations/results/scale/.

  python -m implementations.scale maf-5-mnist-small         on two CPU cores
  torchrun --nproc-per-node=gpu -m implementations.scale maf-5-mnist
  torchrun --nproc-per-node=2 --max-restarts=9 -m implementations.scale maf-5-mnist

What was learned is kept in a folder, every minute. A training that was stopped in any
way goes on where it was with the same command, and ends with the same weights. The
number of processes changes no result beyond rounding."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says.

    Raises:
        SystemExit: with 2 where the command line is wrong, with 1 where the recipe
            cannot be trained, and with 143 after SIGTERM, when all is saved.
    """
    asked = _parser().parse_args(arguments)
    if asked.write_list:
        lines = json.dumps(
            [results.listed(recipe) for recipe in RECIPES.values()],
            indent=1,
            ensure_ascii=False,
        )
        write_whole(asked.results / results.LIST, f"{lines}\n".encode())
    elif asked.list or not asked.recipe:
        print("\n".join(table(RECIPES.values(), asked.results)))
    else:
        _run_or_exit(asked)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m implementations.scale",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("recipe", nargs="?", metavar="RECIPE", help="one of --list")
    add("--list", action="store_true", help="show all recipes, reported and obtained")
    add("--data", type=Path, metavar="FOLDER", help="where data lie (or DATA=FOLDER)")
    add(
        "--folder",
        type=Path,
        help="keeps checkpoints and log.csv (default: .cache/scale/RECIPE)",
    )
    add("--results", type=Path, default=results.FOLDER, help=argparse.SUPPRESS)
    add("--write-list", action="store_true", help=argparse.SUPPRESS)
    add(
        "--device", choices=("cpu", "cuda"), default="", help="a GPU where there is one"
    )
    add("--bfloat16", action="store_true", help="mixed precision")
    add("--compile", action="store_true", help="torch.compile the loss")
    add(
        "--rows",
        type=_count,
        default=0,
        help="a process takes so many rows at once, and gradients add up (default: all "
        "of its share of a batch)",
    )
    add("--every", type=float, default=60.0, help="seconds between checkpoints")
    add("--seed", type=int, default=0, help="of weights, order and noise (default: 0)")
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {value}")
    return value


def _run_or_exit(asked: argparse.Namespace) -> None:
    try:
        recipe = find(asked.recipe)
    except KeyError as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        raise SystemExit(2) from None
    status = _status(recipe, asked)
    if several():
        leave(status)
    if status:
        raise SystemExit(status)


def _status(recipe: RowRecipe, asked: argparse.Namespace) -> int:
    """Run the recipe; return what the process ends with, after saying why."""
    try:
        run(recipe, join(asked.device), asked)
    except Stopped:
        print(f"{recipe.name}: stopped, and saved. The same command goes on")
        return STOPPED
    except (RecipeError, CheckpointError, DataError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Exception:
        if not several():
            raise
        traceback.print_exc()
        return 1
    return 0


def run(recipe: RowRecipe, processes: Processes, asked: argparse.Namespace) -> None:
    """Train the recipe to its end, evaluate it, and write what it came to.

    Raises:
        RecipeError, CheckpointError, DataError, FloatingPointError, Stopped: each says
            what happened, and loses nothing.
    """
    inputs = prepare(recipe, load(recipe.data, asked.data))
    options = Options(
        asked.seed, asked.bfloat16, asked.compile, asked.rows, asked.every
    )
    folder = asked.folder or Path(".cache", "scale", recipe.name)
    training = Training(recipe, inputs, processes, folder, options)
    training.run()
    found = results.score(training)
    if processes.first:
        path = results.write(found, asked.results)
        told = _told(found["obtained"], 2 * found["standard_error"])
        reported = _told(recipe.reported, recipe.error)
        print(f"{recipe.name}: {told} {recipe.unit} (reported: {reported}); {path}")


def table(recipes: Iterable[RowRecipe], folder: Path) -> list[str]:
    """Return a line for each recipe: its name, its row, reported and obtained.

    Those that its cuts make of it follow, and say what was cut.
    """
    lines = [("RECIPE", "ROW", "REPORTED", "OBTAINED")]
    for recipe in recipes:
        row = f"{recipe.paper}, {recipe.table}: {recipe.row}"
        reported = f"{_told(recipe.reported, recipe.error)} {recipe.unit}"
        lines.append((recipe.name, row, reported, _obtained(recipe.name, folder)))
        for small in recipe.smaller():
            said = textwrap.shorten(small.said, 72, placeholder=" …")
            found = _obtained(small.name, folder)
            lines.append((f"  {small.name}", f"  {said}", "", found))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def _obtained(name: str, folder: Path) -> str:
    found = results.read(name, folder)
    if found is None:
        return "not run"
    return _told(found["obtained"], 2 * found["standard_error"])


def _told(value: float, error: float | None) -> str:
    told = f"{value:.2f}" if error is None else f"{value:.2f} ± {error:.2f}"
    return told.replace("-", "−")
