"""A clone and its remote, and `gh`, played by a script that notes down its calls."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

# Notes down what it is asked, and knows the pull requests and issues that $PULLS and
# $ISSUES list.
GH = """#!/bin/sh
python3 -c 'import json,sys; print(json.dumps(sys.argv[1:]))' "$@" >> "$GH_LOG"
[ "$1 $2" = "pr list" ] && printf '%s' "$PULLS"
[ "$1 $2" = "issue list" ] && printf '%s' "$ISSUES"
exit 0
"""


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def asked(clone: Path) -> list[list[str]]:
    """Return the commands that `gh` got, but for logging in."""
    log = clone.parent / "gh.log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [call for line in lines if (call := json.loads(line))[0] != "auth"]


def branches(clone: Path) -> set[str]:
    names = git(clone, "ls-remote", "--heads", "origin").split()[1::2]
    return {name.removeprefix("refs/heads/") for name in names}
