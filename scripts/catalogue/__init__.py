"""The catalogue: its entry types, and the strict loader of resources.yaml."""

from __future__ import annotations

import datetime
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
)
from pydantic.json_schema import GenerateJsonSchema

from scripts.catalogue import rules, shape
from scripts.catalogue.document import Document, read
from scripts.catalogue.draft import Draft
from scripts.catalogue.faults import CatalogueError, Fault, Finding, format_faults
from scripts.catalogue.limits import LONGEST_ADDRESS, LONGEST_NAME, LONGEST_TEXT
from scripts.catalogue.names import Author, Organisation
from scripts.catalogue.notes import LONGEST_NOTE
from scripts.catalogue.published import Published
from scripts.catalogue.sections import (
    BLOGS,
    CODE,
    FURTHER,
    PUBLICATIONS,
    SECTIONS,
    SHELVES,
    VIDEOS,
    Section,
)
from scripts.papers import implemented

__all__ = [
    "Author",
    "Blog",
    "Catalogue",
    "CatalogueError",
    "Code",
    "Entry",
    "Fault",
    "Organisation",
    "Publication",
    "SoftwareKind",
    "Video",
    "format_faults",
    "load",
    "parse",
    "schema",
]


def _field(description: str, example: Any, **in_editors: Any) -> Any:
    """Describe a field; what holds in editors only, the rules say in better words."""
    if isinstance(example, str):
        in_editors = {"minLength": 1, "maxLength": LONGEST_TEXT} | in_editors
    return Field(
        description=description, examples=[example], json_schema_extra=in_editors
    )


_ADDRESS = "^https://[^\\s]+$"
Papers = Annotated[
    tuple[str, ...],
    _field("Ids of the publications it explains or implements", ["nice", "real_nvp"]),
]


class Entry(BaseModel):
    """One thing on the list; `id` names it for good, even when its address moves."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    section: ClassVar[Section]

    id: Annotated[
        str,
        _field(
            "Names the entry for good",
            "real_nvp",
            pattern="^[a-z][a-z0-9_]*$",
            maxLength=LONGEST_NAME,
        ),
    ]
    title: Annotated[
        str, _field("As it stands on the work itself", "Neural Spline Flows")
    ]
    authors: Annotated[
        tuple[Author, ...],
        _field("Every author, in full", ["Ada Lovelace", "Emmy Noether"], minItems=1),
    ]
    date: Annotated[
        Published,
        _field(
            "When it was first published, to the day, or to the month or year where "
            "no more is known",
            "2019-06-10",
        ),
    ]
    url: Annotated[
        str,
        _field(
            "Its address; no other entry has the same",
            "https://arxiv.org/abs/1906.04032",
            pattern=_ADDRESS,
            maxLength=LONGEST_ADDRESS,
        ),
    ]
    note: Annotated[
        str,
        _field(
            "What it contributes and why to open it, in one to three sentences of our "
            "own; [label](https://…) and `code` are all that has a meaning in it",
            "Introduces the additive coupling layer.",
            maxLength=LONGEST_NOTE,
        ),
    ]
    tags: Annotated[
        tuple[str, ...],
        _field("From the vocabulary at the top of the file", ["coupling"], minItems=1),
    ]
    added: Annotated[datetime.date, _field("When it joined the list", "2026-11-23")]
    venue: Annotated[str | None, _field("Where it appeared", "ICML 2015")] = None
    affiliation: Annotated[
        str | None, _field("Of the authors, at the time", "University of Toronto")
    ] = None
    links: Annotated[
        dict[str, str],
        _field(
            "Further addresses, each under its label",
            {"Authors' code": "https://github.com/bayesiains/nsf"},
            additionalProperties={"type": "string", "pattern": _ADDRESS},
        ),
    ] = {}

    @property
    def shelf(self) -> Section:
        """The section in which readers find it."""
        return self.section


class Publication(Entry):
    """A paper; it has a notebook unless its implementation is still wanted."""

    section = PUBLICATIONS
    implementation: Annotated[
        Literal["wanted"] | None, _field("There is no notebook of it yet", "wanted")
    ] = None

    @property
    def implemented(self) -> bool:
        """True where `implementations/<id>.py` exists (the loader has checked)."""
        return self.implementation is None

    @property
    def shelf(self) -> Section:
        """Further reading, unless it runs here."""
        return PUBLICATIONS if self.implemented else FURTHER


class Video(Entry):
    """A talk or an animation, and the publications it explains."""

    section = VIDEOS
    papers: Papers = ()


class Blog(Entry):
    """A post, and the publications it explains."""

    section = BLOGS
    papers: Papers = ()


SoftwareKind = Literal["package", "repository", "application"]


class Code(Entry):
    """Software, and the publications it implements."""

    section = CODE
    papers: Papers = ()
    kind: Annotated[
        SoftwareKind,
        _field(
            "A package to build flows with, a repository or notebook to read and run, "
            "or an application that uses flows for something else",
            "package",
        ),
    ]
    languages: Annotated[
        tuple[str, ...], _field("What it is written in", ["Python"], minItems=1)
    ]
    frameworks: Annotated[
        tuple[str, ...], _field("What it builds on", ["JAX", "Equinox"])
    ] = ()


class Catalogue(BaseModel):
    """Every entry of the list, each section in order of date."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tags: Annotated[
        dict[str, str],
        _field(
            "Each tag and what it means",
            {"coupling": "Moves part of the vector"},
            propertyNames={
                "pattern": "^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
                "maxLength": LONGEST_NAME,
            },
        ),
    ]
    groups: Annotated[
        dict[str, tuple[str, ...]],
        _field(
            "The tags by what they tell, each in one group",
            {"Family": ["coupling", "spline"]},
        ),
    ] = {}
    aliases: Annotated[
        dict[str, str],
        _field(
            "What readers search for → the id of the entry, or the tag, that they mean",
            {"RealNVP": "real_nvp"},
        ),
    ] = {}
    publications: Annotated[tuple[Publication, ...], _field("Papers", [])]
    videos: Annotated[tuple[Video, ...], _field("Talks and animations", [])]
    blogs: Annotated[tuple[Blog, ...], _field("Posts and courses", [])]
    code: Annotated[tuple[Code, ...], _field("Repositories and notebooks", [])]

    _lines: dict[str, int] = PrivateAttr(default_factory=dict)

    @property
    def sections(self) -> dict[Section, tuple[Entry, ...]]:
        """The entries of each section."""
        return {section: getattr(self, section.key) for section in SECTIONS}

    @property
    def shelves(self) -> dict[Section, tuple[Entry, ...]]:
        """The entries as readers find them: papers that run here, then the others."""
        shelves: dict[Section, list[Entry]] = {shelf: [] for shelf in SHELVES}
        for entries in self.sections.values():
            for entry in entries:
                shelves[entry.shelf].append(entry)
        return {shelf: tuple(entries) for shelf, entries in shelves.items()}

    def also(self, entry: Entry) -> list[str]:
        """Return by what other words readers search for an entry or for its tags."""
        names = {entry.id, *entry.tags}
        return [alias for alias, name in self.aliases.items() if name in names]

    @property
    def entries(self) -> Iterator[Entry]:
        """All entries, shelf by shelf."""
        for entries in self.shelves.values():
            yield from entries

    @property
    def lines(self) -> Mapping[str, int]:
        """Id of an entry → the line on which it begins, where it came from a file."""
        return self._lines


_ENTRIES = (Publication, Video, Blog, Code)
_MODELS = {"": Catalogue, **{model.section.key: model for model in _ENTRIES}}


def load(
    path: Path, implementations: Path, today: datetime.date | None = None
) -> Catalogue:
    """Read and check the catalogue against the folder of implementations.

    `today` is the day in UTC unless it is given. Raises CatalogueError with everything
    that is wrong; a file that is no YAML has its one fault alone.
    """
    file = _shown(path)
    return parse(_content(path, file), file, implementations, today)


def parse(
    content: bytes,
    file: str,
    implementations: Path,
    today: datetime.date | None = None,
) -> Catalogue:
    """Check the catalogue that these bytes are, as `load` does; `file` is its name."""
    with _collector_paused():
        today = today or datetime.datetime.now(datetime.UTC).date()
        document = read(content, file)
        papers = frozenset(implemented(implementations))
        catalogue, faults = _checked(document, file, papers, today)
    if faults or catalogue is None:
        raise CatalogueError(faults)
    return catalogue


def _checked(
    document: Document, file: str, papers: frozenset[str], today: datetime.date
) -> tuple[Catalogue | None, list[Fault]]:
    catalogue, findings = _validated(document)
    if catalogue:
        catalogue._lines.update(_lines(catalogue, document))
    draft = Draft.of(document.data, papers, today)
    findings += [finding for rule in rules.RULES for finding in rule(draft)]
    return catalogue, [_fault(each, document, draft, file) for each in findings]


def _shown(path: Path) -> str:
    here = Path.cwd()
    absolute = path.absolute()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else path)


def _content(path: Path, file: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        problem = f"cannot be read: {(error.strerror or 'unknown error').lower()}"
        fault = Fault(file, 1, 1, "the file", problem, "check its name and place")
        raise CatalogueError([fault]) from None


def _validated(document: Document) -> tuple[Catalogue | None, list[Finding]]:
    try:
        return Catalogue.model_validate(document.data), list(document.findings)
    except ValidationError as error:
        found = shape.findings(error, document, _MODELS)
        return None, [*document.findings, *found]


def _lines(catalogue: Catalogue, document: Document) -> Iterator[tuple[str, int]]:
    """Yield each entry's id, and the line on which it begins."""
    for section, entries in catalogue.sections.items():
        for number, entry in enumerate(entries):
            yield entry.id, document.position((section.key, number)).line


def _fault(finding: Finding, document: Document, draft: Draft, file: str) -> Fault:
    path, problem, fix, at, of_key = finding
    where = document.key_position if of_key else document.position
    # A parser tells of what is missing at the end on a line that is not there.
    position = min(at or where(path), document.end)
    return Fault(file, *position, draft.where(path), problem, fix)


@contextmanager
def _collector_paused() -> Iterator[None]:
    # Ten thousand entries are a million objects, none of them garbage.
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Schema(GenerateJsonSchema):
    """Says what a file may hold: no nulls, no defaults, no title for each field."""

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema() -> dict[str, Any]:
    """Return the JSON Schema of resources.yaml, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Catalogue.model_json_schema(schema_generator=_Schema),
    }
