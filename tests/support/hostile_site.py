"""Two sites of one shape: one of hostile texts, one of texts that nobody minds."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from scripts.catalogue.sections import KEYS
from tests.frozen import LIST
from tests.support.building import build, copy_frozen
from tests.support.hostile import HARMLESS, at_host, harmless_note
from tests.support.payloads import ADDRESS, AUTHOR, NOTE, PAYLOADS, TEXT, Payload

# Each has a paper of its own, and a repository on it.
SPECIMENS = [payload for payload in PAYLOADS.values() if payload.admitted]
TODAY = datetime.datetime.now(datetime.UTC).date()


class Site(NamedTuple):
    """A site that was built."""

    folder: Path

    def files(self) -> dict[str, bytes]:
        """All files but the pictures of titles, whose names tell what they show."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path.parent.name != "cards"
        }


def hostile_catalogue() -> dict[str, Any]:
    return _catalogue([(each, each.text, each.text) for each in SPECIMENS])


def harmless_catalogue() -> dict[str, Any]:
    """The same entries, each with a harmless text where the other has a hostile one."""
    notes = map(harmless_note, SPECIMENS)
    texts = (f"Harmless {n}" for n, _ in enumerate(SPECIMENS))
    return _catalogue(list(zip(SPECIMENS, texts, notes, strict=True)))


def _catalogue(specimens: list[tuple[Payload, str, str]]) -> dict[str, Any]:
    """The frozen list, filled in, and the specimens, of which some are the newest."""
    content = yaml.safe_load(LIST.read_bytes())
    for section in KEYS:
        for n, entry in enumerate(content[section]):
            _fill(entry, 1_000 + n, *specimens[7 * n % len(specimens)])
            entry["added"] = "2026-01-01"
    for n, (payload, text, note) in enumerate(specimens):
        about = {"id": f"p{n}", "url": f"https://example.org/p{n}"}
        paper = _blank() | about | {"implementation": "wanted"}
        content["publications"].append(_fill(paper, n, payload, text, note))
        about = {"id": f"c{n}", "url": f"https://example.org/c{n}", "papers": [f"p{n}"]}
        repository = _blank() | about | {"kind": "package", "languages": ["Python"]}
        content["code"].append(_fill(repository, n, payload, text, note))
    return content


def _blank() -> dict[str, Any]:
    return {
        "title": "Plain",
        "authors": ["Ada Byron"],
        "date": str(TODAY),
        "added": str(TODAY),
        "tags": ["graphs"],
        "note": "Plain.",
    }


def _fill(
    entry: dict[str, Any], n: int, payload: Payload, text: str, note: str
) -> dict[str, Any]:
    kinds = payload.admitted
    title = text if TEXT in kinds else "Plain"
    entry["title"] = f"{title} specimen{n}"
    if TEXT in kinds:
        entry |= {"venue": text, "affiliation": text}
        entry["links"] = {text: f"{HARMLESS}/{n}"}
        software = {"frameworks": [text], "languages": [text]}
        entry |= software if "languages" in entry else {}
    if AUTHOR in kinds:
        entry["authors"] = [text, "Ada Byron"]
    if TEXT in kinds:
        entry["authors"] = [*entry["authors"], {"organisation": f"{text} Lab"}]
    if NOTE in kinds:
        entry["note"] = note
    if ADDRESS in kinds:
        address = text if text.startswith("https://") else HARMLESS
        entry["url"] = at_host(address, entry["id"].replace("_", "-"))
    return entry


def build_site(folder: Path, content: dict[str, Any]) -> Site:
    project = copy_frozen(folder / "project")
    written = json.dumps(content, default=str, ensure_ascii=False)
    (project / "resources.yaml").write_text(written, "utf-8")
    run = build(project, folder / "site")
    assert run.returncode == 0, run.stderr
    return Site(folder / "site")
