"""Checkpoints: whole or not there, two of them, each with a checksum."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

KEPT = 2
_MAGIC = b"scale-1 "
_ENDING = ".checkpoint"


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written, or none read; the message says what to do."""


def save(folder: Path, step: int, state: dict[str, Any]) -> None:
    """Write the state after so many steps; then drop all but the newest two.

    A state is written beside its place, and moved there when it is on the disk. So a
    process that ends in the middle leaves what was there before.

    Raises:
        CheckpointError: when the disk is full or may not be written; what was there
            before is kept.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getbuffer()
    head = _MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n"
    path = folder / f"{step:012d}{_ENDING}"
    write_whole(path, head, payload)
    for old in _newest_first(folder)[KEPT:]:
        old.unlink(missing_ok=True)


def load(folder: Path) -> bytes | None:
    """Return the newest checkpoint that is whole, for `state_of`; None without any.

    What an interrupted process left behind is removed. A damaged checkpoint is named on
    stderr and set aside, as `.damaged`, and the one before is taken.

    Raises:
        CheckpointError: when there are some, and none of them is whole.
    """
    for left in folder.glob(f".*{_ENDING}.tmp"):
        left.unlink(missing_ok=True)
    damaged: list[Path] = []
    for path in _newest_first(folder):
        head, _newline, payload = path.read_bytes().partition(b"\n")
        if head == _MAGIC + hashlib.sha256(payload).hexdigest().encode():
            # Else it would be one of the two that are kept, in place of a whole one.
            for each in damaged:
                print(f"{each}: is damaged; the one before is taken", file=sys.stderr)
                each.rename(each.with_suffix(".damaged"))
            return payload
        damaged.append(path)
    if damaged:
        raise CheckpointError(
            f"{folder}: none of its {len(damaged)} checkpoints is whole. Remove the "
            "folder to begin anew, or restore a copy of one"
        )
    return None


def state_of(payload: bytes, device: torch.device) -> dict[str, Any]:
    """Return the state that a checkpoint holds, with its tensors on the device."""
    return torch.load(io.BytesIO(payload), map_location=device, weights_only=True)


def write_whole(path: Path, *parts: bytes | memoryview) -> None:
    """Write a file in one move, after its content is on the disk.

    Raises:
        CheckpointError: when that is not possible; the file stays as it was.
    """
    beside = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        fix = "make room" if full else "see that its folder may be written"
        raise CheckpointError(
            f"{path}: cannot be written: {error.strerror} ({fix}, then run it again: "
            "it goes on from the checkpoint before)"
        ) from None


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"[0-9]*{_ENDING}"), reverse=True)
