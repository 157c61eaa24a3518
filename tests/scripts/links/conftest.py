"""A small list with its website, whose links lead to this machine."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.base.project import Project
from scripts.catalogue import Blog, Catalogue, Video
from scripts.links import history
from scripts.links.asking import Asker
from scripts.links.checking import LinkCheck
from tests.support import fake_web

PROJECT = Project("Flows", "https://me.example/flows/", "https://github.com/me/flows")
START = datetime.datetime(2026, 11, 23, 5, 17, tzinfo=datetime.UTC)


def blog(id: str, url: str, **fields: object) -> Blog:
    day = datetime.date(2026, 11, 20)
    known = {"title": id.title(), "authors": ("Ada Lovelace",), "note": "It flows."}
    known |= {"tags": ("coupling",), "date": str(day), "added": day}
    return Blog.model_validate({"id": id, "url": url, **known, **fields})


def catalogue(*blogs: Blog, videos: tuple[Video, ...] = ()) -> Catalogue:
    return Catalogue(
        tags={"coupling": "x"}, publications=(), videos=videos, blogs=blogs, code=()
    )


@dataclass
class World:
    """A clone of the project with its website, and a clock."""

    root: Path
    now: datetime.datetime = START

    def check(self, listed: Catalogue, asker: Asker) -> LinkCheck:
        asker.now = lambda: self.now
        return LinkCheck(self.root, PROJECT, listed, asker)

    def scripted(self, **results: str) -> tuple[LinkCheck, list[str]]:
        """Return a check of hosts that answer so, and the addresses it asks for."""
        told = {f"https://{host}.invalid/": said for host, said in results.items()}
        asker = fake_web.asker("http://127.0.0.1:1")
        checker = fake_web.Scripted("us", results=told)
        asker.checker = checker
        asker.lookup = lambda host: "missing" if host[:4] == "lost" else "found"
        listed = catalogue(
            *(blog(host, url) for host, url in zip(results, told, strict=True))
        )
        return self.check(listed, asker), checker.asked

    def later(self, **time: float) -> None:
        self.now += datetime.timedelta(**time)

    def page(self, *links: str, name: str = "index.html") -> None:
        """Write a page of the website with these links."""
        path = self.root / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        anchors = "".join(f'<a href="{link}">x</a>' for link in links)
        path.write_text(f"<!doctype html><title>x</title>{anchors}")

    def records(self) -> dict[str, history.Record]:
        return history.read(self.root / history.FILE)

    @property
    def report(self) -> str:
        return (self.root / ".cache" / "links.md").read_text("utf-8")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resources.yaml").write_text("blogs:\n  - id: one\n")
    (tmp_path / history.FILE).touch()
    built = World(tmp_path)
    built.page()
    return built
