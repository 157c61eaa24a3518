"""Which addresses there are to ask, and where each of them stands."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from scripts.base.project import Project
from scripts.catalogue import Catalogue
from scripts.links.answers import Account
from scripts.links.entries import addresses
from scripts.links.history import key
from scripts.links.linkchecker import LinkChecker, LinkCheckerError


class LinkPlace(NamedTuple):
    """Where an address stands: in an entry, or on a page of the website alone."""

    entry: str = ""
    page: str = ""


class Broken(NamedTuple):
    """A link within the project that leads nowhere, and the page that it is on."""

    target: str
    page: str


@dataclass
class Places:
    """Addresses of others, each with its places; and what is broken of our own."""

    of: dict[str, list[LinkPlace]] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)

    def add(self, address: str, place: LinkPlace) -> None:
        """Note that an address stands there."""
        known = self.of.setdefault(key(address), [])
        if place not in known:
            known.append(place)


def find(
    catalogue: Catalogue, project: Project, root: Path, site: Path, checker: LinkChecker
) -> Places:
    """Collect the addresses of the catalogue, then those that the built site adds.

    Raises LinkCheckerError when the site is not there to be looked through.
    """
    places = Places()
    for entry in catalogue.entries:
        for _, address in addresses(entry):
            places.add(address, LinkPlace(entry=entry.id))
    if not (site / "index.html").exists():
        raise LinkCheckerError(f"there is no website in {site.name}/: run `make site`")
    ours = _ours(project, root, site)
    with _serving(site, urlsplit(project.site_url).path) as start:
        for row in checker.crawl(start):
            _sort_in(row, start, ours, places)
    return places


def _sort_in(
    row: Account, start: str, ours: Mapping[str, Path], places: Places
) -> None:
    page = row.parent.removeprefix(start) or "the home page"
    if row.url.startswith(start):
        if row.valid != "True":
            places.broken.append(Broken(row.url.removeprefix(start), page))
        return
    if row.url.startswith(urljoin(start, "/")):  # not under the site's own path
        places.broken.append(Broken(urlsplit(row.url).path, page))
        return
    if not row.url.startswith(("https://", "http://")):
        return
    for prefix, folder in ours.items():
        if row.url.startswith(prefix):
            if not _exists(folder, row.url.removeprefix(prefix)):
                places.broken.append(Broken(row.url, page))
            return
    if not places.of.get(key(row.url)):
        places.add(row.url, LinkPlace(page=page))


def _ours(project: Project, root: Path, site: Path) -> dict[str, Path]:
    """Addresses that are made of this commit's files, and the folders these are in.

    Files are looked up: on the web they are there only once main is published.
    """
    return {
        project.blob(""): root,
        project.colab(""): root,
        project.page(""): site,
    }


def _exists(folder: Path, path: str) -> bool:
    name = unquote(urlsplit(path).path).lstrip("/")
    return (folder / name).exists()


class _Pages(SimpleHTTPRequestHandler):
    """The built site, under its own path as on the web."""

    base = "/"

    def translate_path(self, path: str) -> str:
        if not path.startswith(self.base):
            return str(Path(self.directory) / "outside-of-the-site")
        return super().translate_path("/" + path.removeprefix(self.base))

    def end_headers(self) -> None:
        # Asks for no pauses: they are for hosts of others.
        self.send_header("LinkChecker", "welcome")
        super().end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def _serving(site: Path, base: str) -> Iterator[str]:
    handler = partial(
        type("Pages", (_Pages,), {"base": base or "/"}), directory=str(site)
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{base or '/'}"
        finally:
            server.shutdown()
            thread.join()


def hosts(addresses: Iterable[str]) -> set[str]:
    """Return the names of the hosts."""
    return {urlsplit(address).hostname or "" for address in addresses} - {""}
