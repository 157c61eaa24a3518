"""The workflows' commits, pull requests and answers on GitHub.

Needs git with the remote `origin`, and GitHub's own `gh` with a token.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.add import Adder
from scripts.catalogue import CatalogueError
from scripts.catalogue.sections import SECTIONS

_BOT = "github-actions[bot]"
_IDENTITY = (
    *("-c", f"user.name={_BOT}"),
    *("-c", f"user.email=41898282+{_BOT}@users.noreply.github.com"),
)

# The first question of each form, and the section that its entries go to.
FORMS = {section.one: section.key for section in SECTIONS}
FIELDS = {
    "Title": "title",
    "Authors": "authors",
    "Organisations": "organisations",
    "Affiliation": "affiliation",
    "Published on": "date",
    "Venue": "venue",
    "Kind of software": "kind",
    "Languages": "languages",
    "Frameworks": "frameworks",
    "Papers that it is about": "papers",
    "Tags": "tags",
    "Note": "note",
}
_EMPTY = "_No response_"
# The title of the issue that has the report.
_DEAD_LINKS = "Some links are dead"


@dataclass(frozen=True)
class Clone:
    """A clone of the repository, with the means to publish what changed in it."""

    root: Path
    main: str = "main"

    def publish(self, file: str) -> int:
        """Commit a file to the main branch where it changed, and push it.

        Where the branch is protected, a pull request asks for it instead.
        """
        name = file.lower().replace(".", "-")
        body = f"The list has changed, and {file} is made from it."
        self._publish(f"Regenerate {file}", f"regenerate-{name}", body, file)
        return 0

    def publish_links(self, report: Path, dead: bool, *files: str) -> int:
        """Publish files as `publish` does; keep one issue open while links are dead.

        The report is the issue's text.
        """
        title = "Note which links have died, moved or come back"
        body = "What `make links` found; the issue on dead links has the report."
        self._publish(title, "links", body, *files)
        issue = self._issue(_DEAD_LINKS)
        if dead and issue is None:
            self._gh(
                *("issue", "create", "--title", _DEAD_LINKS),
                *("--body-file", str(report)),
            )
        elif issue is not None:
            self._gh("issue", "edit", str(issue), "--body-file", str(report))
            if not dead:
                comment = ("--comment", "No link is dead any more.")
                self._gh("issue", "close", str(issue), *comment)
        return 0

    def _issue(self, title: str) -> int | None:
        """Return the number of the open issue of this title that is our own."""
        found = self._gh(
            *("issue", "list", "--state", "open", "--app", "github-actions"),
            *("--limit", "100", "--json", "number,title"),
        )
        issues = json.loads(found or "[]")
        return next((i["number"] for i in issues if i["title"] == title), None)

    def _publish(self, message: str, branch: str, body: str, *files: str) -> None:
        names = " and ".join(files)
        if not self._changed(*files):
            print(f"{names}: up to date")
            return
        self._commit(message, *files)
        if self._git("push", "origin", f"HEAD:{self.main}", check=False) == 0:
            print(f"{names}: pushed to {self.main}")
            return
        self._propose(branch, message, body)

    def answer(self, event: dict[str, Any], adder: Adder) -> int:
        """Make a pull request of an issue form, or say in a comment what is wrong."""
        issue = event["issue"]
        number, body = int(issue["number"]), issue["body"] or ""
        status, said = _added(body, adder)
        if status:
            self._comment(number, said)
            return 0
        self._commit(f"Add the entry of issue {number}", "resources.yaml", "README.md")
        text = f"Closes #{number}. The entry has passed `make check`."
        self._propose(f"entry-{number}", f"Add the entry of issue {number}", text)
        return 0

    def _comment(self, number: int, said: str) -> None:
        # In a block of code nothing of it means anything, nor calls for anybody.
        body = (
            "This cannot be added as it stands:\n\n"
            f"{textwrap.indent(said.strip(), '    ')}\n\n"
            "Please edit the issue; the answer follows by itself."
        )
        self._gh("issue", "comment", str(number), "--body", body)

    def _propose(self, branch: str, title: str, body: str) -> None:
        self._git("push", "--force", "origin", f"HEAD:refs/heads/{branch}")
        there = self._gh("pr", "list", "--head", branch, "--json", "number")
        if json.loads(there or "[]"):
            print(f"The pull request of {branch} follows")
            return
        self._gh(
            *("pr", "create", "--base", self.main, "--head", branch),
            *("--title", title, "--body", body),
        )

    def _changed(self, *files: str) -> bool:
        return self._git("diff", "--quiet", "--", *files, check=False) != 0

    def _commit(self, message: str, *files: str) -> None:
        self._gh("auth", "setup-git")
        self._git(*_IDENTITY, "commit", "--quiet", "--message", message, "--", *files)

    def _git(self, *arguments: str, check: bool = True) -> int:
        command = ["git", *arguments]
        return subprocess.run(command, cwd=self.root, check=check).returncode

    def _gh(self, *arguments: str) -> str:
        command = ["gh", *arguments]
        ran = subprocess.run(
            command, cwd=self.root, check=True, stdout=subprocess.PIPE, text=True
        )
        return ran.stdout


def _added(body: str, adder: Adder) -> tuple[int, str]:
    """Add what a form says; return the exit status, and what was said of faults."""
    work, section, flags = answers(body)
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            status = adder.add(work, section, **flags)
            return status, _in_words_of_the_form(said.getvalue())
        except CatalogueError as error:
            return 1, f"the list itself has faults:\n{error}"


def _in_words_of_the_form(said: str) -> str:
    """Name the form's questions where flags are named."""
    for question, field in FIELDS.items():
        said = re.sub(rf"--{field}\b", question, said)
    return said


def answers(body: str) -> tuple[str, str, dict[str, str]]:
    """Read an issue form: the work, its section, and all else that it says.

    The first answer to a question counts; what is no question belongs to the answer
    above it.
    """
    known = "|".join(map(re.escape, [*FORMS, *FIELDS]))
    parts = re.split(rf"^### ({known})\s*$", body, flags=re.MULTILINE)
    said: dict[str, str] = {}
    for question, answer in zip(parts[1::2], parts[2::2], strict=True):
        text = " ".join(answer.split())
        said.setdefault(question, "" if text == _EMPTY else text)
    asked = next((name for name in FORMS if name in said), "")
    flags = {field: said[name] for name, field in FIELDS.items() if said.get(name)}
    return said.get(asked, ""), FORMS.get(asked, ""), flags
