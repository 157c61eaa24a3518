"""Checksums of files, and of what is inside those that gzip zipped."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from pathlib import Path

from implementations.core.data.dataset import DataError


def is_zipped(path: Path) -> bool:
    """True where gzip zipped a single file, and not an archive."""
    return path.suffix == ".gz" and not path.name.endswith(".tar.gz")


def _opened(path: Path, zipped: bool) -> io.BufferedIOBase:
    return gzip.GzipFile(path) if zipped else path.open("rb")


def content(path: Path, checksum: str) -> bytes:
    """Read a file, or what is inside where it is zipped.

    Raises DataError where it cannot be read, is damaged, or is another file than the
    checksum says.
    """
    read = _read(path)
    if why := _difference(_digest(io.BytesIO(read), checksum), checksum):
        raise damaged(path, why)
    return read


def check(path: Path, checksum: str, zipped: bool = False) -> None:
    """Raise DataError where the file is damaged, or another than the checksum says.

    Of a file that gzip zipped, the checksum is of what is inside.
    """
    if why := fault(path, checksum, zipped):
        raise damaged(path, why)


def fault(path: Path, checksum: str, zipped: bool = False) -> str:
    """Say what is wrong with the file; "" where its checksum is right.

    Raises DataError where it cannot be read.
    """
    try:
        with _opened(path, zipped) as file:
            found = _digest(file, checksum)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        return str(error)
    except OSError as error:
        raise unreadable(path, error) from None
    return _difference(found, checksum)


def damaged(path: Path, why: str) -> DataError:
    """Say of a file that it is damaged or another one."""
    return DataError(
        f"{path} is damaged or another file: {why} (delete it, then run again)"
    )


def unreadable(path: Path, error: OSError) -> DataError:
    """Say of a file what the system said when it was to be read."""
    return DataError(f"{path} cannot be read: {error.strerror or error}")


def _read(path: Path) -> bytes:
    try:
        with _opened(path, is_zipped(path)) as file:
            return file.read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise damaged(path, str(error)) from None
    except OSError as error:
        raise unreadable(path, error) from None


def _difference(found: str, checksum: str) -> str:
    return "" if found == checksum else f"its checksum is {found}, expected {checksum}"


def _digest(file: io.BufferedIOBase, checksum: str) -> str:
    kind = checksum.partition(":")[0]

    def new() -> hashlib._Hash:
        return hashlib.new(kind, usedforsecurity=False)

    return f"{kind}:{hashlib.file_digest(file, new).hexdigest()}"
