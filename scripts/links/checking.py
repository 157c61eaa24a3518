"""`make links`: ask, remember what follows, report."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from scripts.base.files import turn, write_atomic
from scripts.base.project import Project
from scripts.catalogue import Catalogue
from scripts.links import cache, history, places, report
from scripts.links.asking import Asker, NoNetwork
from scripts.links.linkchecker import LinkChecker, LinkCheckerError
from scripts.links.places import Places
from scripts.links.videos import Videos
from scripts.sources.web import Web

REPORT = ".cache/links.md"
_CACHE = ".cache/links.json"


def public_asker(project: Project) -> Asker:
    """Return who asks the web; it says who it is."""
    agent = f"{project.name} ({project.repo_url})"
    return Asker(LinkChecker(agent), Videos(Web(agent)))


@dataclass(frozen=True)
class LinkCheck:
    """Checks the links of a catalogue, and of the website built beside it."""

    root: Path
    project: Project
    catalogue: Catalogue
    asker: Asker

    def run(self) -> int:
        """Ask, write the history and the report; return the exit status.

        Links may be dead: that is for the report to say, and no failure. Raises
        CatalogueError when the history is at fault.
        """
        history.read(self.root / history.FILE)  # before anybody is asked
        try:
            return self._run()
        except NoNetwork:
            print(
                "Nobody answered, so nothing is known: is there a network? "
                f"{history.FILE} stays as it was",
                file=sys.stderr,
            )
        except LinkCheckerError as error:
            print(f"LinkChecker does not run: {error}", file=sys.stderr)
        except KeyboardInterrupt:
            print(
                f"\nInterrupted: {history.FILE} stays as it was; what was answered is "
                "kept, and `make links` goes on from there",
                file=sys.stderr,
            )
            return 130
        return 1

    def _run(self) -> int:
        print("→ Looking through the website")
        found = places.find(
            self.catalogue,
            self.project,
            self.root,
            self.root / "site",
            self.asker.checker,
        )
        kept = cache.read(self.root / _CACHE, self.asker.now())
        self.asker.heard.update((a, h) for a, h in kept.items() if a in found.of)
        print(f"→ Asking {len(found.of)} addresses")
        try:
            self.asker.ask(found.of)
        finally:
            cache.write(self.root / _CACHE, self.asker.heard)
        path = self.root / history.FILE
        with turn(self.root):
            after = self._after(history.read(path), found)
            changed = history.write(path, after.values())
        self._report(after, found, changed)
        return 0

    def _after(
        self, before: history.History, found: Places
    ) -> dict[str, history.Record]:
        records = (
            history.follows(before.get(url), url, *self.asker.heard[url])
            for url in sorted(found.of)
        )
        return {record.url: record for record in records if record}

    def _report(
        self, after: dict[str, history.Record], found: Places, changed: bool
    ) -> None:
        text = report.render(after, found, self.project, self.catalogue.lines)
        write_atomic(self.root / REPORT, text)
        print(f"\n{text}")
        print(f"{history.FILE} {'written' if changed else 'is up to date'}; ", end="")
        print(f"this report is in {REPORT}")
