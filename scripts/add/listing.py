"""The list that an entry joins: what is on it, and what it is with one more."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.add.entry import AddError, Fields, insert, write
from scripts.catalogue import Catalogue, CatalogueError, Entry, addresses, load, parse
from scripts.catalogue.document import Document, read
from scripts.catalogue.faults import quote
from scripts.catalogue.rules import letters


@dataclass(frozen=True)
class Listing:
    """A catalogue without faults, as text and as entries."""

    path: Path
    implementations: Path
    today: datetime.date
    content: str
    document: Document
    catalogue: Catalogue

    @classmethod
    def read(cls, path: Path, implementations: Path, today: datetime.date) -> Listing:
        """Read the file; raises CatalogueError when it has faults already."""
        catalogue = load(path, implementations, today)
        content = path.read_bytes()
        document = read(content, path.name)
        text = content.decode("utf-8")
        return cls(path, implementations, today, text, document, catalogue)

    def current(self) -> Listing:
        """Return this list, or what the file has become meanwhile."""
        if self.path.read_bytes().decode("utf-8", "replace") == self.content:
            return self
        return Listing.read(self.path, self.implementations, self.today)

    def refuse_known(self, url: str) -> None:
        """Raise AddError, which points at the entry, when one leads there already."""
        place = addresses.place(url)
        for section, number, entry in self._entries():
            if addresses.place(entry.url) == place:
                self._refuse(section, number, entry)

    def refuse_title(self, title: str, section: str) -> None:
        """Raise AddError, which points at the entry, when one has this title."""
        for other, number, entry in self._entries():
            if other == section and letters(entry.title) == letters(title):
                self._refuse(other, number, entry)

    def _entries(self) -> Iterator[tuple[str, int, Entry]]:
        for section, entries in self.catalogue.sections.items():
            for number, entry in enumerate(entries):
                yield section.key, number, entry

    def _refuse(self, section: str, number: int, entry: Entry) -> None:
        line = self.document.position((section, number)).line
        raise AddError(
            f"{self.path.name}:{line}: it is on the list already, as {entry.id}: "
            f"{quote(entry.title)}, {entry.url} (edit that entry instead)"
        )

    def joined(self, section: str, entry: Fields) -> tuple[str, Catalogue]:
        """Return the file's content and the catalogue with one entry more.

        Raises AddError when the entry has faults, or would change any other.
        """
        content, number = insert(self.content, self.document, section, entry)
        try:
            catalogue = parse(
                content.encode("utf-8"),
                self.path.name,
                self.implementations,
                self.today,
            )
        except CatalogueError as error:
            faults = (f"  {f.where}: {f.problem} ({f.fix})" for f in error.faults)
            lines = ["it has faults:", *faults, "The entry was to be:", *write(entry)]
            raise AddError("\n".join(lines)) from None
        if not self._is_one_more(catalogue, section, number, entry):
            raise AddError("the entry would not read as it was meant: write it by hand")
        return content, catalogue

    def _is_one_more(
        self, catalogue: Catalogue, section: str, number: int, entry: Fields
    ) -> bool:
        """Return whether this was added, and nothing beside it by a text of its own."""
        *others, new = _moved_last(getattr(catalogue, section), number)
        after = catalogue.model_copy(update={section: tuple(others)})
        read = new.model_dump(mode="json", exclude_defaults=True)
        meant = {
            name: value if isinstance(value, str) else list(value)
            for name, value in entry.items()
            if value
        }
        return (
            read == meant
            and after.sections == self.catalogue.sections
            and after.tags == self.catalogue.tags
        )


def _moved_last(entries: tuple[Entry, ...], number: int) -> tuple[Entry, ...]:
    return (*entries[:number], *entries[number + 1 :], entries[number])
