"""The command line: `python -m scripts --help`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.project import ROOT, read_project

if TYPE_CHECKING:
    from scripts.catalogue import Catalogue

# What a command needs it imports itself: others need not wait for it.


def _load(args: argparse.Namespace) -> Catalogue:
    from scripts.catalogue import CatalogueError, format_faults, load

    try:
        return load(args.catalogue, ROOT / "implementations")
    except CatalogueError as error:
        stream = sys.stderr if args.format == "text" else sys.stdout
        print(format_faults(error.faults, args.format), file=stream)
        raise SystemExit(1) from None


def _check(args: argparse.Namespace) -> int:
    listing = _load(args)
    if args.format == "text":
        count = len(tuple(listing.entries))
        print(f"{args.catalogue.name}: {count} entries, no faults")
    elif args.format == "json":
        print("[]")
    return 0


def _schema(args: argparse.Namespace) -> int:
    from scripts.catalogue import schema

    print(json.dumps(schema(), indent=2, ensure_ascii=False))
    return 0


def _readme(args: argparse.Namespace) -> int:
    from scripts import readme

    page = readme.render(_load(args), read_project())
    return (readme.check if args.check else readme.write)(args.output, page)


def _notebooks(args: argparse.Namespace) -> int:
    from scripts import notebook

    return notebook.run(
        ROOT,
        only=args.only,
        force=args.force,
        device=args.device,
        jobs=args.jobs,
        check=args.check,
    )


def _claims(args: argparse.Namespace) -> int:
    from scripts import claims

    return claims.run(
        ROOT,
        only=args.only,
        seeds=args.seeds,
        force=args.force,
        device=args.device,
        jobs=args.jobs,
    )


def _figures(args: argparse.Namespace) -> int:
    from scripts import figures

    return figures.run(ROOT, force=args.force, check=args.check)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts",
        description="One YAML file in, the README, the website and the notebooks out.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    source = argparse.ArgumentParser(add_help=False)
    source.add_argument(
        "--catalogue",
        type=Path,
        default=Path("resources.yaml"),
        metavar="FILE",
        help="the catalogue to read (default: resources.yaml)",
    )
    source.set_defaults(format="text")

    command = commands.add_parser(
        "check", parents=[source], help="say what is wrong in the catalogue, and where"
    )
    command.add_argument(
        "--format",
        choices=("text", "github", "json"),
        default="text",
        help="text for people, annotations for GitHub, or JSON (default: text)",
    )
    command.set_defaults(run=_check)

    command = commands.add_parser("schema", help="print the catalogue's JSON Schema")
    command.set_defaults(run=_schema)

    command = commands.add_parser(
        "readme", parents=[source], help="regenerate README.md from the catalogue"
    )
    command.add_argument(
        "--check", action="store_true", help="write nothing; show what would change"
    )
    command.add_argument(
        "--output",
        type=Path,
        default=Path("README.md"),
        metavar="FILE",
        help="the file to write (default: README.md)",
    )
    command.set_defaults(run=_readme)

    which = argparse.ArgumentParser(add_help=False)
    which.add_argument(
        "--only", default="", metavar="IDS", help="these papers alone: nice,maf"
    )
    which.add_argument("--force", action="store_true", help="run fresh ones too")
    which.add_argument("--device", help="cpu or cuda (default: cuda where there is)")
    which.add_argument("--jobs", type=int, default=2, help="at once (default: 2)")

    command = commands.add_parser(
        "notebooks",
        parents=[which],
        help="execute the notebooks whose code has changed",
    )
    command.add_argument(
        "--check", action="store_true", help="execute nothing; list the stale ones"
    )
    command.set_defaults(run=_notebooks)

    command = commands.add_parser(
        "claims",
        parents=[which],
        help="repeat the claims of papers whose code has changed, over seeds",
    )
    command.add_argument("--seeds", type=int, default=5, help="how many (default: 5)")
    command.set_defaults(run=_claims)

    command = commands.add_parser(
        "figures", help="draw the project's own figures whose code has changed"
    )
    command.add_argument("--force", action="store_true", help="draw fresh ones too")
    command.add_argument(
        "--check", action="store_true", help="draw nothing; list the stale ones"
    )
    command.set_defaults(run=_figures)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; exit status 1 when it found fault with its input."""
    args = _parser().parse_args(arguments)
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
