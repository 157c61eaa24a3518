"""A new entry of the catalogue, from an arXiv id, a DOI or an address."""

from __future__ import annotations

import datetime
import difflib
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts import readme
from scripts.add import authors, nearness
from scripts.add.complete import LISTS, Ask, Blank, Unfinished, listed
from scripts.add.entry import AddError, Fields
from scripts.add.listing import Listing
from scripts.base.dates import PartialDate
from scripts.base.files import turn, write_atomic
from scripts.base.project import Project
from scripts.catalogue.faults import quote
from scripts.links import history
from scripts.sources.services import Services, visible
from scripts.sources.web import Web, WebError
from scripts.sources.works import NotIdentified, Work, identify


def public_services(project: Project) -> Services:
    """Return the services at their public addresses; they are told who asks."""
    return Services(Web(f"{project.name} ({project.repo_url})"))


@dataclass(frozen=True)
class Adder:
    """Adds entries to a catalogue, and to the README.md that is made of it.

    Without `services` nobody is asked for facts, without `ask` nobody for the rest.
    """

    catalogue: Path
    readme: Path
    implementations: Path
    project: Project
    services: Services | None = None
    ask: Ask | None = None

    def add(self, what: str, section: str = "", **flags: str) -> int:
        """Add a work and show what that changes; return the exit status.

        Raises OSError when the catalogue cannot be read or written.
        """
        return self._run(what, section, flags, write=True)

    def preview(self, what: str, section: str = "", **flags: str) -> int:
        """Show what adding a work would change; return the exit status."""
        return self._run(what, section, flags, write=False)

    def _run(
        self, what: str, section: str, flags: Mapping[str, str], write: bool
    ) -> int:
        try:
            return self._add(what, section, flags, write)
        except (AddError, NotIdentified) as error:
            message = str(error)
        except Unfinished as left:
            command = self._command(what, section, left.fields, write)
            message = f"interrupted; to go on from your answers:\n  {command}"
        except KeyboardInterrupt:
            message = "interrupted"
        print(f"Nothing is added: {message}", file=sys.stderr)
        return 1

    def _command(
        self, what: str, section: str, fields: Mapping[str, str], write: bool
    ) -> str:
        """Return the command that asks for the rest alone."""
        said = {"section": section, **fields}
        if said.get("organisations") == authors.NONE:
            del said["organisations"]
        flags = [f"--{name}={text}" for name, text in said.items() if text]
        flags += ["--offline"] * (not self.services) + ["--dry-run"] * (not write)
        return shlex.join([".venv/bin/python", "-m", "scripts", "add", *flags, what])

    def _add(
        self, what: str, section: str, flags: Mapping[str, str], write: bool
    ) -> int:
        today = datetime.datetime.now(datetime.UTC).date()
        work = identify(what)
        if work.left_out:
            tracking = ", ".join(work.left_out)
            print(f"Left out of the address, as it follows readers: {tracking}")
        section = section or work.section
        listing = Listing.read(self.catalogue, self.implementations, today)
        listing.refuse_known(work.url)
        known, categories = self._known(work, section, flags)
        listing.refuse_title(known.get("title", ""), section)
        title = known.get("title", "")
        for entry in nearness.entries(title, work.url, section, listing.catalogue):
            near = f"{entry.id}: {quote(entry.title)}, {entry.url}"
            print(f"It may be on the list already, as {near}", file=sys.stderr)
        blank = Blank(section, known, listing.catalogue, categories)
        fields = blank.completed(self.ask)
        fields |= {"url": work.url, "added": today.isoformat()}
        if not write:
            self._joined(listing, section, fields)
            print("This was a dry run: nothing is written")
            return 0
        if not self.ask:
            fields["id"] = known.get("id", "")  # else it is proposed again
        with turn(self.catalogue.resolve().parent):
            # Answering takes its time: the list may have grown meanwhile.
            self._write(*self._joined(listing.current(), section, fields))
        return 0

    def _joined(
        self, listing: Listing, section: str, fields: Mapping[str, str]
    ) -> tuple[str, str, str]:
        """Show what an entry changes; return the list before and after, and README."""
        listing.refuse_known(fields["url"])
        listing.refuse_title(fields["title"], section)
        fields = Blank(section, fields, listing.catalogue).completed(None)
        entry = self._entry(section, fields)
        content, catalogue = listing.joined(section, entry)
        dead = history.dead_in(self.catalogue.resolve().parent)
        runs = readme.running(catalogue, self.implementations)
        page = readme.render(catalogue, self.project, dead, runs=runs)
        _show(self.catalogue.name, listing.content, content)
        _show(self.readme.name, _text(self.readme), page)
        return listing.content, content, page

    def _known(
        self, work: Work, section: str, flags: Mapping[str, str]
    ) -> tuple[dict[str, str], tuple[str, ...]]:
        """Return what flags say, what services know beyond that, and its categories."""
        said = {name: text for name, value in flags.items() if (text := visible(value))}
        if "authors" in said:
            said.setdefault("organisations", authors.NONE)
        if self.services is None or {"title", "authors", "date"} <= said.keys():
            return said, ()
        try:
            facts = self.services.facts(work)
        except WebError as error:
            print(f"Going on without: {error}", file=sys.stderr)
            return said, ()
        if facts.date and "date" not in said and PartialDate.parse(facts.date).day == 0:
            print(f"Of its date only {facts.date} is known", file=sys.stderr)
        names, organisations = authors.lines(facts.authors)
        told = {
            "title": facts.title,
            "authors": names,
            "organisations": organisations if facts.marked else "",
            "date": facts.date,
            "venue": facts.venue,
            "languages": facts.language if section == "code" else "",
        }
        known = {name: text for name, text in told.items() if text} | said
        return known, facts.categories

    def _entry(self, section: str, fields: Mapping[str, str]) -> Fields:
        lists = {name: listed(fields.get(name, "")) for name in LISTS}
        people = authors.read(fields["authors"], fields["organisations"])
        named = [a if isinstance(a, str) else a.model_dump() for a in people]
        entry: dict[str, Any] = {**fields, **lists, "authors": named}
        del entry["organisations"]
        file = self.implementations / f"{fields['id']}.py"
        if section == "publications" and not file.exists():
            entry["implementation"] = "wanted"
        return entry

    def _write(self, before: str, content: str, page: str) -> None:
        if _text(self.catalogue) != before:
            raise AddError(
                f"{self.catalogue.name} has changed meanwhile (run it again)"
            )
        try:
            write_atomic(self.catalogue, content)
            print(f"{self.catalogue.name} written: look it over before you commit it")
            readme.write(self.readme, page)
        except (OSError, KeyboardInterrupt) as error:
            if _text(self.catalogue) != content:
                raise
            # The entry is added all the same, and main regenerates the rest.
            why = str(error) or "interrupted"
            left = "The entry is added, and `make readme` is left to do"
            print(f"{left}: {why}", file=sys.stderr)


def _text(path: Path) -> str:
    """Return the file's text with its line ends, or none where there is no file."""
    return path.read_bytes().decode("utf-8") if path.exists() else ""


def _show(name: str, before: str, after: str) -> None:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), name, f"{name}, changed", lineterm=""
    )
    print("\n".join(lines))
