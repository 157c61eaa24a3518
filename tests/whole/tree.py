"""A tiny project with its own copy of the commands, which may be stopped anywhere."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from scripts.base.project import ROOT
from tests.support.small_project import SmallProject

# Longer than a page of memory, so that a full disk could cut it.
PADDING = "# What stands here is a remark, and there are many of them.\n" * 150
CATALOGUE = f"""\
{PADDING}tags:
  coupling: Moves part of the vector
publications:
  - id: made
    title: Made
    authors: [Ada Lovelace]
    date: 2015-02-12
    url: https://example.org/made
    tags: [coupling]
    added: 2026-01-01
    note: Masks.

  - id: glow
    title: Glow
    authors: [Emmy Noether]
    date: 2018-07-09
    url: https://example.org/glow
    tags: [coupling]
    added: 2026-01-01
    implementation: wanted
    note: Glows.

videos: []
blogs: []
code: []
"""
RESULTS = '{"fingerprint": "old", "seeds": [], "claims": []}\n'
PAPER = """
    # %%
    import json
    import os

    # %%
    def made() -> int:
        return 1

    # %%
    if __name__ == "__main__":
        print(made())
        record = {"text": "one", "bound": {"below": 2}, "value": made()}
        if name := os.environ.get("CLAIMS_OUT"):
            with open(name, "a") as file:
                file.write(json.dumps(record) + "\\n")
    """
FIGURE = """
    # %%
    import pathlib
    import sys

    # %%
    if __name__ == "__main__":
        for name in ("circle-light.svg", "circle-dark.svg"):
            pathlib.Path(sys.argv[1], name).write_text("<svg>new</svg>" * 1000)
    """
SAID = {
    "title": "A Video",
    "authors": "Ada Lovelace",
    "date": "2020-02-02",
    "tags": "coupling",
    "note": "It shows.",
}
FORM = "### Video\n\nhttps://youtu.be/AAAAAAAAAAA\n\n" + "".join(
    f"### {question}\n\n{SAID[field]}\n\n"
    for question, field in {
        **{"Title": "title", "Authors": "authors", "Published on": "date"},
        **{"Tags": "tags", "Note": "note"},
    }.items()
)
GH = '#!/bin/sh\n[ "$1 $2" = "pr list" ] && echo "[]"\nexit 0\n'


def heard() -> str:
    """Return what `links` was just answered, so that it need not ask: both are gone."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0).isoformat()
    answer = {"kind": "gone", "why": "404", "status": 404}
    urls = re.findall(r"url: (\S+)", CATALOGUE)
    return json.dumps({url: {"answer": answer, "asked": now} for url in urls})


def add(video: str = "AAAAAAAAAAA", **said: str) -> list[str]:
    """Return the command that adds a video."""
    flags = [f"--{name}={text}" for name, text in (SAID | said).items()]
    return ["add", f"https://youtu.be/{video}", "--offline", *flags]


COMMANDS = {
    "add": add(),
    "readme": ["readme"],
    "new": ["new", "glow"],
    "notebooks": ["notebooks", "--jobs=1"],
    "claims": ["claims", "--seeds=1"],
    "figures": ["figures"],
    "publish-readme": ["publish-readme"],
    "answer-issue": ["answer-issue", "../event.json"],
    "links": ["links"],
    "publish-links": ["publish-links"],
}
"""Every command that writes files; a new one joins them here."""
READERS = {"check", "schema", "release-notes", "paper", "lacking"}
"""The others."""


@dataclass(frozen=True)
class Tree:
    """The project under `home`/tree, the repository it was cloned from beside it."""

    home: Path

    @property
    def root(self) -> Path:
        return self.home / "tree"

    @classmethod
    def make(cls, home: Path) -> Tree:
        """Write the project; README.md, the notebook, results and figure are old."""
        tree = cls(home)
        root = tree.root
        shutil.copytree(ROOT / "scripts", root / "scripts")
        for name in (".gitignore", "mkdocs.yml"):
            shutil.copy(ROOT / name, root)
        project = SmallProject(root)
        project.write("made.py", PAPER.replace("return 1", "return 0"))
        project.commit("made")
        project.write("made.py", PAPER)
        project.write("figures/circle.py", FIGURE)
        for path, text in {
            "resources.yaml": CATALOGUE,
            "README.md": "Old.\n" * 1000,
            "implementations/results/made.json": RESULTS,
            "docs/assets/figures/circle-light.svg": "<svg>old</svg>",
            "docs/assets/figures/circle-dark.svg": "<svg>old</svg>",
            "docs/assets/figures/stamps.json": "{}\n",
            "links.jsonl": "",
            "software.jsonl": "",
            "site/index.html": "<!doctype html><title>Flows</title>",
            ".cache/links.json": heard(),
            "../event.json": json.dumps({"issue": {"number": 1, "body": FORM}}),
            "../bin/gh": GH,
        }.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, "utf-8")
        (home / "bin" / "gh").chmod(0o755)
        tree._commit()
        return tree

    def _commit(self) -> None:
        quiet = ("--quiet", "--template=")
        self.git("init", *quiet, "--initial-branch=main")
        self.git("init", *quiet, "--bare", "--initial-branch=main", "../origin")
        self.git("remote", "add", "origin", "../origin")
        self.git("add", ".")
        self.git("-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", "Old")

    def copy(self, home: Path) -> Tree:
        """Return another one in the same state."""
        shutil.copytree(self.home, home, symlinks=True, dirs_exist_ok=True)
        return Tree(home)

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT")}
        return kept | {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "PATH": f"{self.home / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def start(self, *command: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Begin a command line in a session of its own."""
        return subprocess.Popen(
            command,
            cwd=cwd or self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command line to its end."""
        process = self.start(*command)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def state(self) -> dict[str, str]:
        """Return all that git sees of the project, but for the clock's share in it."""
        seen = self.git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        names = seen.rstrip("\0").split("\0")
        paths = {name: self.root / name for name in names}
        return {
            name: timeless(path.read_text("utf-8"))
            for name, path in paths.items()
            if path.exists()
        }


def timeless(text: str) -> str:
    """Leave out days, and how long something took."""
    text = re.sub(r'"seconds": (\d+|\[[^]]*\])', '"seconds": …', text)
    return re.sub(r"\d{4}-\d\d-\d\d", "…", text)


def scripts(*arguments: str) -> list[str]:
    """Return the command line of one of our commands."""
    return [sys.executable, "-m", "scripts", *arguments]


def end(process: subprocess.Popen[str], how: signal.Signals) -> tuple[str, str]:
    """Send it a signal, and kill what it may have left running when it has ended."""
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    return out, err
