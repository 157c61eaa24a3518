"""Entries as a stranger's pull request may add them: of each kind, at any date."""

from __future__ import annotations

import datetime
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from scripts.add.entry import Fields, insert
from scripts.base.project import ROOT
from scripts.catalogue.document import read
from scripts.catalogue.sections import KEYS
from tests.support.repository import git

# When it was published, beside the others of its kind → what breaks careless outputs.
TITLES = {
    "before": '#1: "Why" I <3 *flows*',
    "among": r"1984 – ሰላም, 世界: `x_1` | [100%](of) $k$ \ {{ it }}",
    "today": "שלום <b>3</b> & ~~y~~ __z__ <!-- 🌊",
}


def new_entry(section: str, time: str, dates: Sequence[str], paper: str) -> Fields:
    """Return an entry that is older than those of these dates, among them, or new."""
    today = str(datetime.datetime.now(datetime.UTC).date())
    days = {"before": "1990", "among": dates[len(dates) // 2], "today": today}
    name = f"stranger_{section}_{time}"
    return {
        "id": name,
        "title": f"{TITLES[time]} ({section})",
        "authors": ["Zoë O'Neil-Ångström", "毛泽东", "The Flow Developers"],
        "date": days[time],
        "url": f"https://example.org/{name}?q=%3C3&lang=_en_",
        "venue": "Workshop: \"Why?\" & 'How'",
        "tags": ["introduction"],
        "added": today,
        "note": "Says why in 3 steps, `x_1 <3`, & [more](https://example.org/_more_).",
        **({"implementation": "wanted"} if section == "publications" else {}),
        **({"papers": [paper]} if section != "publications" else {}),
        **({"kind": "package", "languages": ["C++"]} if section == "code" else {}),
    }


def contribute(
    project: Path,
    sections: Sequence[str] = KEYS,
    times: Sequence[str] = tuple(TITLES),
) -> None:
    """Add an entry of each of these kinds at each of these times to the list."""
    file = project / "resources.yaml"
    text = file.read_text("utf-8")
    listed = read(text.encode("utf-8"), file.name).data
    for section in sections:
        dates = [entry["date"] for entry in listed[section]]
        for time in times:
            entry = new_entry(section, time, dates, listed["publications"][0]["id"])
            document = read(text.encode("utf-8"), file.name)
            text, _ = insert(text, document, section, entry)
    file.write_text(text, "utf-8")


def fork(folder: Path) -> Path:
    """Copy the project, edits included, as the first commit of a repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet", "--template=", "--initial-branch=main")
    commit(folder, "The project")
    return folder


def commit(folder: Path, message: str) -> None:
    git(folder, "add", ".")
    identity = ("-c", "user.name=A", "-c", "user.email=a@b.c")
    git(folder, *identity, "-c", "commit.gpgsign=false", "commit", "-qm", message)
