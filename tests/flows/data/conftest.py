"""A mirror for a test, and a small MNIST in the place of the real one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.data.mirror import FileMirror, mirroring


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and no DATA: no test finds or leaves files in the user's."""
    monkeypatch.delenv("DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


@pytest.fixture
def mirror() -> Iterator[FileMirror]:
    with mirroring(FileMirror()) as served:
        yield served


@pytest.fixture
def small_mnist(
    mirror: FileMirror, monkeypatch: pytest.MonkeyPatch
) -> dict[str, bytes]:
    """Files of a small MNIST, which the mirror has; ten images are held out."""
    from implementations.core.data import images
    from implementations.core.data.sources import FILES
    from tests.flows.data.making import mnist_files, zipped, zipped_each

    files = mnist_files()
    mirror.files |= zipped(files)
    needed = tuple(zipped_each(files, mirror.url, "mnist"))
    monkeypatch.setitem(FILES, "mnist", needed)
    monkeypatch.setitem(FILES, "binarised_mnist", needed)
    monkeypatch.setattr(images, "HELD_OUT", 10)
    return files
