"""Fields that services and flags leave open: asked for, or named as missing."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import get_args

from scripts.add import authors, nearness
from scripts.add.entry import AddError
from scripts.base.dates import PartialDate
from scripts.catalogue import Catalogue, SoftwareKind
from scripts.catalogue.draft import is_id, nearest_id
from scripts.catalogue.faults import did_you_mean, quote
from scripts.catalogue.limits import RESERVED
from scripts.catalogue.names import family
from scripts.catalogue.sections import CODE, SECTIONS

Ask = Callable[[str], str]
"""Shows a prompt and returns what is typed."""

_AS_A_DATE = "as in 2018-07-09, or 2018-07 or 2018 where no more is known"
LISTS = ("papers", "tags", "languages", "frameworks")
_HINTS = {
    "id": "names the entry for good",
    "title": "as it stands on the work itself",
    "authors": "all of them, in full, with commas between",
    "organisations": "those of the authors that are no persons, with ; between",
    "date": f"of publication, {_AS_A_DATE}",
    "kind": "package, repository or application",
    "languages": "as in Python, with commas between",
    "tags": "some of ",
    "note": "one to three sentences of your own: what it contributes, why to open it",
}
_REQUIRED = ("title", "authors", "date", "languages", "tags", "note")
_OF_CODE = ("languages",)
_KINDS = get_args(SoftwareKind)
_PREFIXES = {section.key: section.kind for section in SECTIONS[1:]}


class Unfinished(Exception):
    """Whoever answered has left; `fields` are what is known until then."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = fields


@dataclass(frozen=True)
class Blank:
    """An entry to be: what is known of it, and the list that it joins.

    `categories` are what a service files it under, from which tags are proposed.
    """

    section: str
    known: Mapping[str, str]
    catalogue: Catalogue
    categories: tuple[str, ...] = ()

    def completed(self, ask: Ask | None) -> dict[str, str]:
        """Fill in what is missing, by asking where there is somebody to ask.

        Raises AddError that names everything missing, or the first answer of the
        flags that cannot be; Unfinished when the input ends before what is needed is
        said, or Ctrl-C is typed.
        """
        fields = dict(self.known)
        if organisations := fields.get("organisations"):
            fields["authors"] = fields.get("authors") or authors.alone(organisations)
        for name, value in fields.items():
            if value and (problem := self.problem(name, value, fields)):
                raise AddError(f"--{name}: {problem}")
        missing = [
            name
            for name in _REQUIRED
            if not fields.get(name)
            and (name not in _OF_CODE or self.section == CODE.key)
        ]
        if missing and not ask:
            lines = [
                f'  --{name} "…"  {self._hint(name)}{self._likely(name, fields, "; ")}'
                for name in missing
            ]
            raise AddError("\n".join(["give what is missing:", *lines]))
        try:
            self._ask_all(ask, missing, fields)
        except (EOFError, KeyboardInterrupt):
            print()  # behind the prompt
            raise Unfinished(fields) from None
        return fields

    def _ask_all(
        self, ask: Ask | None, missing: Collection[str], fields: dict[str, str]
    ) -> None:
        for name in missing:
            fields[name] = self.asked(ask, name, fields, self._likely(name, fields))
        if not fields.get("organisations"):
            none = authors.NONE
            fields["organisations"] = self.asked(ask, "organisations", fields, none)
        if self.section == CODE.key and not fields.get("kind"):
            fields["kind"] = self.asked(ask, "kind", fields, "repository")
        if not fields.get("id"):
            fields["id"] = self.asked(ask, "id", fields, self.proposal(fields))

    def asked(
        self, ask: Ask | None, name: str, fields: Mapping[str, str], proposal: str = ""
    ) -> str:
        """Ask until the answer can be; an empty one, or nobody, takes the proposal.

        Raises EOFError when the input ends and there is no proposal.
        """
        if not ask:
            return proposal
        hint = self._hint(name) + (f"; Enter for {proposal}" if proposal else "")
        while True:
            try:
                answer = ask(f"{name} ({hint}): ").strip() or proposal
            except EOFError:
                if not proposal:
                    raise
                print(proposal)
                return proposal
            problem = self.problem(name, answer, fields) if answer else "is needed"
            if not problem:
                return answer
            print(f"  {problem}")

    def _likely(self, name: str, fields: Mapping[str, str], before: str = "") -> str:
        """Propose tags; nothing for any other field."""
        if name != "tags":
            return ""
        title = fields.get("title", "")
        likely = ", ".join(nearness.tags(title, self.categories, self.catalogue))
        return f"{before}likely {likely}" if before and likely else likely

    def _hint(self, name: str) -> str:
        some = ", ".join(self.catalogue.tags) if name == "tags" else ""
        return _HINTS[name] + some

    def problem(self, name: str, value: str, fields: Mapping[str, str]) -> str:
        """Say what is wrong with a value beside the others, if anything."""
        match name:
            case "organisations":
                return _organisations_problem(value, fields["authors"])
            case "date":
                return _date_problem(value)
            case "id":
                return self._id_problem(value)
            case "kind" if value not in _KINDS:
                return f"{quote(value)} is none of {', '.join(_KINDS)}"
            case "tags":
                return self._unknown(listed(value), self.catalogue.tags, "tag")
            case "papers":
                ids = [paper.id for paper in self.catalogue.publications]
                return self._unknown(listed(value), ids, "publication")
        return ""

    def _unknown(
        self, names: Collection[str], known: Collection[str], kind: str
    ) -> str:
        for name in names:
            if name not in known:
                fix = did_you_mean(name, known, f"known are {', '.join(known)}")
                if kind == "tag":
                    fix += (
                        "; a new tag goes to the top of resources.yaml, and its meaning"
                    )
                return f"{quote(name)} is no {kind} of the list ({fix})"
        return ""

    def _id_problem(self, name: str) -> str:
        if not is_id(name):
            fix = f"write it as in {quote(nearest_id(name))}"
            return (
                f"{quote(name)} is not made of a-z, 0-9 and _, a letter first ({fix})"
            )
        if name in RESERVED:
            return f"{quote(name)} is reserved (choose another)"
        if name in self._ids():
            return f"{quote(name)} is the id of another entry (choose another)"
        return ""

    def _ids(self) -> set[str]:
        return {entry.id for entry in self.catalogue.entries}

    def proposal(self, fields: Mapping[str, str]) -> str:
        """Propose an id: a paper's short name, or the kind and the author's surname."""
        if prefix := _PREFIXES.get(self.section):
            first, *_ = authors.read(fields["authors"], fields["organisations"])
            words = f"{prefix} {family(first)}"
        else:
            short, colon, _ = fields["title"].partition(":")
            words = short if colon and len(short.split()) <= 3 else _initials(short)
        name = nearest_id(words)[:40].rstrip("_")
        taken = self._ids() | RESERVED
        numbered = (f"{name}_{n}" for n in range(2, len(taken) + 3))
        return next(each for each in (name, *numbered) if each not in taken)


def listed(text: str) -> list[str]:
    """Split a list that is written with commas."""
    return [item for part in text.split(",") if (item := part.strip())]


def _initials(title: str) -> str:
    """The long title → tlt, without the small words; a single word as it is."""
    words = [word for word in re.findall(r"[A-Za-z0-9]+", title) if len(word) > 3]
    if len(words) < 2:
        return title if title.isascii() else "paper"
    return "".join(word[0] for word in words)


def _organisations_problem(organisations: str, said: str) -> str:
    for name in authors.missing(said, organisations):
        fix = "an organisation is an author, too: write it alike in both"
        return f"{quote(name)} is none of the authors ({fix})"
    return ""


def _date_problem(value: str) -> str:
    try:
        PartialDate.parse(value)
    except ValueError:
        return f"{quote(value)} is no ISO date (write it {_AS_A_DATE})"
    return ""
