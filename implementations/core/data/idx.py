"""The IDX format, in which MNIST comes: a magic number, sizes, and bytes."""

from __future__ import annotations

import math
import struct

import numpy as np
import torch
from torch import Tensor

from implementations.core.data.dataset import DataError

_BYTES = 0x08  # the third byte of the magic number: entries are unsigned bytes


def read_idx(content: bytes, name: str) -> Tensor:
    """Read an array of unsigned bytes (http://yann.lecun.com/exdb/mnist/).

    Two zeros, the kind of entries, the number of axes; their sizes, each in four bytes,
    the highest first; then the entries, row by row. Raises DataError, which calls the
    file `name`, where the content is no such array.
    """
    if len(content) < 4 or content[:3] != bytes((0, 0, _BYTES)) or not content[3]:
        raise DataError(
            f"{name} is no IDX file of bytes: expected it to begin with 00 00 08, got "
            f"{content[:4].hex(' ') or 'nothing'} (delete it, then run again)"
        )
    axes = content[3]
    start = 4 + 4 * axes
    if len(content) < start:
        raise DataError(f"{name} ends in its header (delete it, then run again)")
    shape = struct.unpack(f">{axes}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise DataError(
            f"{name} is cut or too long: expected {math.prod(shape):,} bytes for the "
            f"shape {shape}, got {len(content) - start:,} (delete it, then run again)"
        )
    entries = np.frombuffer(content, np.uint8, offset=start)
    return torch.from_numpy(entries.reshape(shape).copy())
