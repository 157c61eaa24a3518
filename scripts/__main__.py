"""The command line: `python -m scripts --help`."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from scripts.base.pipes import outlive_readers
from scripts.base.project import ROOT, read_project

if TYPE_CHECKING:
    from scripts.catalogue import Catalogue

# What a command needs it imports itself: others need not wait for it.

_FLAGS = {
    "id": "names the entry for good (default: made of its title or authors)",
    "title": "as it stands on the work itself",
    "authors": 'all of them, in full: "Ada Lovelace, Emmy Noether"',
    "organisations": 'authors who are no persons: "Foo, Inc.; Bar Lab"',
    "affiliation": "of the authors, at the time",
    "date": "of publication: 2018-07-09",
    "venue": "where it appeared: ICML 2015",
    "language": "of code: Python",
    "framework": "of code: PyTorch",
    "papers": 'ids of the publications it is about: "nice, maf"',
    "tags": 'from the list at the top of the file: "coupling, images"',
    "note": "one to three sentences of your own",
}


def _load(args: argparse.Namespace) -> Catalogue:
    from scripts.catalogue import load

    with _telling_faults(args.format):
        return load(args.catalogue, _implementations(args))


def _implementations(args: argparse.Namespace) -> Path:
    """A list and its papers' files lie in one folder, whichever that is."""
    return args.catalogue.resolve().parent / "implementations"


def _dead(args: argparse.Namespace) -> dict[str, datetime.date]:
    from scripts.links import history

    with _telling_faults(args.format):
        return history.dead_in(args.catalogue.resolve().parent)


@contextmanager
def _telling_faults(form: Literal["text", "github", "json"]) -> Iterator[None]:
    """Print a catalogue's faults and exit, where there are any.

    In a workflow on GitHub, faults in text are annotations of the diff too.
    """
    from scripts.catalogue import CatalogueError, format_faults
    from scripts.catalogue.faults import on_github

    try:
        yield
    except CatalogueError as error:
        stream = sys.stderr if form == "text" else sys.stdout
        print(format_faults(error.faults, form), file=stream)
        if form == "text" and on_github():
            print(format_faults(error.faults, "github"))
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

    if args.check or args.since:
        page = _page(args)
        if args.since:
            return readme.check_since(args.output, page, args.since)
        return readme.check(args.output, page)
    return _regenerate(args)


def _regenerate(args: argparse.Namespace) -> int:
    from scripts import readme
    from scripts.base.files import turn

    # What is written comes from the list as it is then.
    with turn(args.catalogue.resolve().parent):
        return readme.write(args.output, _page(args))


def _page(args: argparse.Namespace) -> str:
    from scripts import readme

    catalogue = _load(args)
    drafts = readme.drafts(catalogue, _implementations(args))
    return readme.render(catalogue, read_project(), _dead(args), drafts=drafts)


def _add(args: argparse.Namespace) -> int:
    from scripts import add

    project = read_project()
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    adder = add.Adder(
        args.catalogue,
        args.output,
        _implementations(args),
        project,
        services=None if args.offline else add.public_services(project),
        ask=input if on_terminal else None,
    )
    flags = {name: getattr(args, name) for name in _FLAGS}
    with _telling_faults(args.format):
        return (adder.preview if args.dry_run else adder.add)(
            args.work, args.section, **flags
        )


def _new(args: argparse.Namespace) -> int:
    from scripts import scaffold

    with _telling_faults("text"):
        return scaffold.run(ROOT, args.id)


def _paper(args: argparse.Namespace) -> int:
    from scripts.scaffold import checking

    with _telling_faults("text"):
        return checking.run(ROOT, args.id)


def _lacking(args: argparse.Namespace) -> int:
    from scripts.scaffold import checking

    with _telling_faults("text"):
        checking.show_what_is_lacking(ROOT, args.id)
    return 0


def _publish_readme(args: argparse.Namespace) -> int:
    from scripts.github.clone import Clone

    return _regenerate(args) or Clone(ROOT).publish(args.output.name)


def _links(args: argparse.Namespace) -> int:
    from scripts.links import checking

    project, catalogue = read_project(), _load(args)
    asker = checking.public_asker(project)
    with _telling_faults("text"):
        return checking.Check(ROOT, project, catalogue, asker).run()


def _publish_links(args: argparse.Namespace) -> int:
    from scripts.github.clone import Clone
    from scripts.links import checking, history

    if status := _regenerate(args):
        return status
    clone, files = Clone(ROOT), (history.FILE, args.output.name)
    return clone.publish_links(ROOT / checking.REPORT, bool(_dead(args)), *files)


def _answer_issue(args: argparse.Namespace) -> int:
    from scripts import add
    from scripts.github.clone import Clone

    project = read_project()
    adder = add.Adder(
        args.catalogue,
        args.output,
        _implementations(args),
        project,
        add.public_services(project),
    )
    return Clone(ROOT).answer(json.loads(args.event.read_text("utf-8")), adder)


def _notebooks(args: argparse.Namespace) -> int:
    from scripts.execute import notebooks

    return notebooks.run(
        ROOT,
        only=args.only,
        force=args.force,
        device=args.device,
        jobs=args.jobs,
        check=args.check,
    )


def _claims(args: argparse.Namespace) -> int:
    from scripts.execute import claims

    return claims.run(
        ROOT,
        only=args.only,
        seeds=args.seeds,
        force=args.force,
        device=args.device,
        jobs=args.jobs,
    )


def _figures(args: argparse.Namespace) -> int:
    from scripts.execute import figures

    return figures.run(ROOT, force=args.force, check=args.check)


def _release_notes(args: argparse.Namespace) -> int:
    from scripts.github import release

    return release.run(ROOT, args.tag)


def _add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "work",
        help="arXiv id, DOI, or an address on arXiv, YouTube, GitHub or anywhere",
    )
    command.add_argument(
        "--section",
        choices=("publications", "videos", "blogs", "code"),
        default="",
        help="where it goes (default: told by the address)",
    )
    for flag, meaning in _FLAGS.items():
        command.add_argument(f"--{flag}", default="", metavar="TEXT", help=meaning)
    command.add_argument("--offline", action="store_true", help="ask no service")
    command.add_argument(
        "--dry-run", action="store_true", help="write nothing; show what would change"
    )


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

    target = argparse.ArgumentParser(add_help=False)
    target.add_argument(
        "--output",
        type=Path,
        default=Path("README.md"),
        metavar="FILE",
        help="the file to write (default: README.md)",
    )
    command = commands.add_parser(
        "readme",
        parents=[source, target],
        help="regenerate README.md from the catalogue",
    )
    command.add_argument(
        "--check", action="store_true", help="write nothing; show what would change"
    )
    command.add_argument(
        "--since",
        default="",
        metavar="COMMIT",
        help="check it, but only if it has changed since this commit",
    )
    command.set_defaults(run=_readme)

    command = commands.add_parser(
        "publish-readme",
        parents=[source, target],
        help="regenerate README.md, commit and push it (for the workflow)",
    )
    command.set_defaults(run=_publish_readme)

    command = commands.add_parser(
        "links",
        parents=[source],
        help="ask every address of the catalogue and of the built website",
    )
    command.set_defaults(run=_links)

    command = commands.add_parser(
        "publish-links",
        parents=[source, target],
        help="commit and push what `links` found, and report it (for the workflow)",
    )
    command.set_defaults(run=_publish_links)

    command = commands.add_parser(
        "answer-issue",
        parents=[source, target],
        help="turn an issue form into a pull request (for the workflow)",
    )
    command.add_argument("event", type=Path, help="GitHub's account of the issue, JSON")
    command.set_defaults(run=_answer_issue)

    command = commands.add_parser(
        "add",
        parents=[source, target],
        help="add a paper, video, post or repository to the catalogue",
        description="Ask arXiv, Crossref, YouTube or GitHub for what they know; the "
        "flags come first. What is missing is asked for on a terminal.",
    )
    _add_arguments(command)
    command.set_defaults(run=_add)

    command = commands.add_parser(
        "new", help="draft an implementation: its file, its test, its case"
    )
    command.add_argument("id", help="the paper's id in the catalogue")
    command.set_defaults(run=_new)

    command = commands.add_parser(
        "paper", help="check one paper alone, and say what it still lacks"
    )
    command.add_argument("id", help="the paper's id in the catalogue")
    command.set_defaults(run=_paper)

    command = commands.add_parser("lacking", help="list what a paper still lacks")
    command.add_argument("id", help="the paper's id in the catalogue")
    command.set_defaults(run=_lacking)

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

    command = commands.add_parser(
        "release-notes", help="check a release's version; print what changed"
    )
    command.add_argument("tag", help="the release's tag, as in v1.2.0")
    command.set_defaults(run=_release_notes)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; exit status 1 when it found fault with its input."""
    args = _parser().parse_args(arguments)
    try:
        return args.run(args)
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; no file is half-written", file=sys.stderr)
        return 130


if __name__ == "__main__":
    outlive_readers()
    sys.exit(main())
