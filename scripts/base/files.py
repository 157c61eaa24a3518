"""The one way this project writes its files: whole, one writer after another."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

# Git ignores what ends so: a process that is killed cannot tidy up.
UNFINISHED = ".tmp"

_REMEDIES = {
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room, then run it again"
    ),
    **dict.fromkeys(
        (errno.EROFS, errno.EACCES, errno.EPERM),
        "make its folder writable, then run it again",
    ),
}


class WriteError(OSError):
    """A file could not be written and is as it was; says why, and what to do."""

    @classmethod
    def of(cls, path: Path, error: OSError) -> WriteError:
        """Say of a file what the system said of some step on its way."""
        fix = _REMEDIES.get(error.errno or 0, "mend that, then run it again")
        return cls(f"{path.name} cannot be written: {error.strerror or error} ({fix})")


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Wait until no other command has its turn in the folder, and take one.

    The folder itself is locked, so nothing stays behind, whatever ends the process.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems lock no folders: there, turns are not taken.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_atomic(path: Path, text: str) -> None:
    """Replace the file whole or leave it as it is, whatever interrupts.

    Its permissions stay, a link stays a link, and of two writers at once the last
    one's text stands. Its folder is made where there is none. Raises WriteError.
    """
    write_together({path: text})


def write_together(contents: Mapping[Path, str | bytes]) -> None:
    """Replace several files, each whole; none before there is room for all.

    Raises WriteError.
    """
    staged: dict[Path, str] = {}
    try:
        for path, content in contents.items():
            with _as_write_errors(path):
                # The same folder: a file cannot be renamed across file systems.
                folder = path.resolve().parent
                folder.mkdir(parents=True, exist_ok=True)
                descriptor, temporary = tempfile.mkstemp(
                    UNFINISHED, f".{path.name}.", folder
                )
                staged[path] = temporary
                _fill(descriptor, content)
                os.chmod(temporary, _permissions(path))
        for path, temporary in staged.items():
            with _as_write_errors(path):
                os.replace(temporary, path.resolve())
    finally:
        for temporary in staged.values():
            with suppress(FileNotFoundError):
                os.unlink(temporary)


def _fill(descriptor: int, content: str | bytes) -> None:
    with open(descriptor, "wb") as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _as_write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError.of(path, error) from None


def _permissions(path: Path) -> int:
    """Those of the file, or of any new file."""
    if path.exists():
        return path.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
