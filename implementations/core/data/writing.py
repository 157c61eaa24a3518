"""Errors of files that cannot be written, in words, with what to do."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from implementations.core.data.dataset import DataError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says of a file that is written into a DataError."""
    try:
        yield
    except OSError as error:
        fix = "make its folder writable, or set DATA to another folder"
        if error.errno in _FULL:
            fix = "make room, or set DATA to a folder on another disk; then run again"
        why = error.strerror or error
        raise DataError(f"{path} cannot be written: {why} ({fix})") from None


def check_room(path: Path, size: int) -> None:
    """Raise DataError where the disk of the file has no room for so many bytes."""
    with writing(path):
        free = shutil.disk_usage(path.parent).free
    if free < size:
        raise DataError(
            f"{path} has no room: it needs {size:,} bytes more, {free:,} are free "
            "(make room, or set DATA to a folder on another disk; then run again)"
        )


def finish(file: BinaryIO) -> None:
    """Bring on the disk what was written, so that a new name never holds less."""
    file.flush()
    os.fsync(file.fileno())
