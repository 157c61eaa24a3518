"""The catalogue: entry types, and the strict loader of resources.yaml."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import yaml
from pydantic import BaseModel, ConfigDict


class Entry(BaseModel):
    """One thing on the list; `id` names it for good, even when its address moves."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str]

    id: str
    title: str
    authors: tuple[str, ...]
    date: datetime.date
    url: str
    note: str
    tags: tuple[str, ...]
    added: datetime.date
    venue: str | None = None
    affiliation: str | None = None
    links: dict[str, str] = {}


class Publication(Entry):
    """A paper; it has a notebook unless its implementation is still wanted."""

    kind = "publication"
    implementation: Literal["wanted"] | None = None

    @property
    def implemented(self) -> bool:
        """Whether `implementations/<id>.py` exists (the loader has checked)."""
        return self.implementation is None


class Video(Entry):
    """A talk or an animation, and the publications it explains."""

    kind = "video"
    papers: tuple[str, ...] = ()


class Blog(Entry):
    """A post, and the publications it explains."""

    kind = "blog"
    papers: tuple[str, ...] = ()


class Code(Entry):
    """A repository or notebook, and the publications it implements."""

    kind = "code"
    papers: tuple[str, ...] = ()
    language: str
    framework: str | None = None


class Catalogue(BaseModel):
    """Every entry of the list, each section in order of date."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tags: dict[str, str]
    publications: tuple[Publication, ...]
    videos: tuple[Video, ...]
    blogs: tuple[Blog, ...]
    code: tuple[Code, ...]

    @property
    def entries(self) -> Iterator[Entry]:
        """All entries, section by section."""
        yield from self.publications
        yield from self.videos
        yield from self.blogs
        yield from self.code


def load(path: Path, implementations: Path) -> Catalogue:
    """Read and check the catalogue (draft: the strict loader replaces this)."""
    return Catalogue.model_validate(yaml.safe_load(path.read_text("utf-8")))
