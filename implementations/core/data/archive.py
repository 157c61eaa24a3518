"""Take single files out of a tar archive, whatever paths it says."""

from __future__ import annotations

import os
import shutil
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from tqdm import tqdm

from implementations.core.data.checks import check, damaged, unreadable
from implementations.core.data.dataset import DataError
from implementations.core.data.sources import Needed, Source
from implementations.core.data.writing import check_room, finish, writing


def unpack(
    archive: Path, source: Source, wanted: Sequence[Needed], folder: Path
) -> None:
    """Write those files of the archive that are wanted to their paths in the folder.

    Where an archive says that something belongs is never where it is written; links and
    whatever else is no file are passed over. Each file is written whole or not at all.
    Raises DataError where the archive is damaged, or another one, or lacks a file.
    """
    check(archive, source.checksum)
    missing = list(wanted)
    try:
        with (
            archive.open("rb") as file,
            tqdm.wrapattr(
                file,
                "read",
                total=archive.stat().st_size,
                desc=f"unpacking {archive.name}",
                disable=None,
                leave=False,
            ) as read,
            tarfile.open(fileobj=cast(BinaryIO, read), mode="r|gz") as tar,
        ):
            for member in tar:
                for needed in [n for n in missing if _is(n, member)]:
                    _write(tar, member, needed, folder)
                    missing.remove(needed)
                if not missing:
                    return
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise damaged(archive, str(error)) from None
    except OSError as error:
        raise unreadable(archive, error) from None
    names = ", ".join(needed.path for needed in missing)
    raise DataError(f"{archive} has no {names} (delete it, then run again)")


def _is(needed: Needed, member: tarfile.TarInfo) -> bool:
    """True for a file whose path ends as the one that is needed."""
    wanted = PurePosixPath(needed.path).parts
    return (
        member.isfile() and PurePosixPath(member.name).parts[-len(wanted) :] == wanted
    )


def _write(
    tar: tarfile.TarFile, member: tarfile.TarInfo, needed: Needed, folder: Path
) -> None:
    target = folder / needed.path
    part = target.with_name(f".{target.name}.part")
    content = tar.extractfile(member)
    assert content is not None
    try:
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        check_room(target, member.size)
        with writing(target), part.open("wb") as file:
            shutil.copyfileobj(content, file, 2**20)
            finish(file)
        if needed.checksum:
            check(part, needed.checksum)
        with writing(target):
            os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
