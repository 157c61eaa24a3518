"""The command line: `python -m scripts --help`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from scripts.base.pipes import outlive_readers

# Name → the room whose command.py has it, and what it does. Rooms are imported when
# one of their commands is called: others need not wait for it.
COMMANDS = {
    "check": ("catalogue", "Say what is wrong in the catalogue, and where."),
    "schema": ("catalogue", "Print the catalogue's JSON Schema."),
    "readme": ("readme", "Regenerate README.md from the catalogue."),
    "add": ("add", "Add a paper, video, post or repository to the catalogue."),
    "links": ("links", "Ask every address of the catalogue and of the built website."),
    "new": ("scaffold", "Draft an implementation: its file, its test, its case."),
    "paper": ("scaffold", "Check one paper alone, and say what it still lacks."),
    "lacking": ("scaffold", "List what a paper still lacks."),
    "notebooks": ("execute", "Execute the notebooks whose code has changed."),
    "claims": ("execute", "Repeat the claims of papers whose code has changed."),
    "figures": ("execute", "Draw the project's own figures whose code has changed."),
    "publish-readme": ("github", "Regenerate README.md, commit and push it."),
    "publish-links": ("github", "Commit, push and report what `links` found."),
    "answer-issue": ("github", "Turn an issue form into a pull request."),
    "release-notes": ("github", "Check a release's version; print what changed."),
}


class Rooms(click.Group):
    """The commands of all rooms."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return their names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command from its room."""
        if cmd_name not in COMMANDS:
            return None
        room, _about = COMMANDS[cmd_name]
        module = import_module(f"scripts.{room}.command")
        return getattr(module, cmd_name.replace("-", "_"))

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(cls=Rooms, context_settings={"help_option_names": ["-h", "--help"]})
def commands() -> None:
    """One YAML file in, the README, the website and the notebooks out."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; exit status 1 when it found fault with its input."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        with commands.make_context("python -m scripts", given) as context:
            return commands.invoke(context)
    except click.exceptions.Exit as end:  # --help
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; no file is half-written", file=sys.stderr)
        return 130


if __name__ == "__main__":
    outlive_readers()
    sys.exit(main())
