"""The papers' code as it travels to a worker: as it is here, at one moment.

So jobs run what was fingerprinted, whatever is edited meanwhile, and whatever papers
the worker's own checkout has. Code of earlier commits travels in the same way.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.papers import PACKAGE


def pack(root: Path) -> bytes:
    """Pack what papers import and read: implementations/, without what is cached."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((root / PACKAGE).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(root).as_posix()
                kind = zipfile.ZIP_DEFLATED
                archive.writestr(zipfile.ZipInfo(name), path.read_bytes(), kind)
    return packed.getvalue()


@contextmanager
def unpacked(code: bytes) -> Iterator[Path]:
    """Unpack the code into a folder that stands for the project's root, for a while."""
    with TemporaryDirectory(prefix="code-", ignore_cleanup_errors=True) as folder:
        with zipfile.ZipFile(io.BytesIO(code)) as archive:
            archive.extractall(folder)
        yield Path(folder)
