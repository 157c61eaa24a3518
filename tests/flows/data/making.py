"""Small files in the formats of the real ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import resource
import struct
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from implementations.core.data.sources import Needed, Source

Bytes = NDArray[np.uint8]


def md5(content: bytes) -> str:
    return f"md5:{hashlib.md5(content).hexdigest()}"


def idx(array: Bytes) -> bytes:
    """The array in IDX: 00 00 08, the number of axes, their sizes, and the bytes."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes()


def digits(n: int, seed: int = 0) -> tuple[Bytes, Bytes]:
    """Random images of 28×28 levels, and labels."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (n, 28, 28), np.uint8)
    return images, random.integers(0, 10, n, np.uint8)


def mnist_files(train: int = 30, test: int = 10) -> dict[str, bytes]:
    """The four files of a small MNIST, not zipped."""
    (x, y), (test_x, test_y) = digits(train), digits(test, 1)
    return {
        "train-images-idx3-ubyte": idx(x),
        "train-labels-idx1-ubyte": idx(y),
        "t10k-images-idx3-ubyte": idx(test_x),
        "t10k-labels-idx1-ubyte": idx(test_y),
    }


def zipped_each(files: Mapping[str, bytes], url: str, group: str) -> list[Needed]:
    """Say that each file is downloaded zipped, from `url`."""
    return [
        Needed(
            name,
            Source(group, f"{name}.gz", (f"{url}/{name}.gz",), md5(content), 1),
            md5(content),
        )
        for name, content in files.items()
    ]


def zipped(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """What a mirror has of them: path → content zipped."""
    return {f"/{name}.gz": gzip.compress(each) for name, each in files.items()}


def tar(files: Mapping[str, bytes], *others: tarfile.TarInfo) -> bytes:
    """A tar.gz of the files, behind members that are no files or lead elsewhere."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        for other in others:
            archive.addfile(other)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return written.getvalue()


def npy(array: NDArray[np.float64]) -> bytes:
    written = io.BytesIO()
    np.save(written, array)
    return written.getvalue()


# The one in Python, of which types and documentation say little.
_Pickler: Any = pickle._Pickler


class _Python2(_Pickler):
    """Writes as Python 2 did: texts are bytes, and bytes are texts.

    What has a name in `written_as` is written under that.
    """

    dispatch: ClassVar = dict(_Pickler.dispatch)

    def save_text(self, text: str | bytes) -> None:
        raw = text.encode("latin1") if isinstance(text, str) else text
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(text)

    def save_global(self, obj: Any, name: str | None = None) -> None:
        module, _, own = getattr(obj, "written_as", "").rpartition(".")
        if not module:
            return super().save_global(obj, name)
        self.write(pickle.GLOBAL + f"{module}\n{own}\n".encode())
        self.memoize(obj)

    dispatch[str] = dispatch[bytes] = save_text
    dispatch[FunctionType] = save_global


def python2_pickle(thing: Any) -> bytes:
    """A pickle as Python 2 and numpy 1 would write it, of protocol 2."""
    written = io.BytesIO()
    _Python2(written, protocol=2, fix_imports=True).dump(thing)
    return written.getvalue().replace(b"cnumpy._core.", b"cnumpy.core.")


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """The kernel refuses to write more than that into a file, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
