"""The project as earlier commits left it, to be run on this machine."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory


def trees(file: Path, stamp: str, root: Path) -> Generator[Path]:
    """Yield the project without its docs, as commits left it that wrote a file's stamp.

    The newest comes first. There is none where git is missing or has no such commit.
    """
    commits = _git(root, "log", f"-S{stamp}", "--format=%H", "--", str(file))
    for commit in commits.decode().split():
        if not (archive := _git(root, "archive", commit, "--", ".", ":!docs")):
            continue
        with TemporaryDirectory(prefix="earlier-") as folder:
            with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
                packed.extractall(folder, filter="data")
            yield Path(folder)


def _git(root: Path, *command: str) -> bytes:
    """Run git; return what it printed, which is nothing where it failed."""
    try:
        return subprocess.run(["git", *command], cwd=root, capture_output=True).stdout
    except FileNotFoundError:
        return b""
