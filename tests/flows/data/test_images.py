"""Images are what the files hold, split as the papers' authors did."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from implementations.core.data import DataError, Split, images, load
from implementations.core.data.idx import read_idx
from implementations.core.data.images import read_amat, with_mirror_images
from implementations.core.data.sources import FILES, Needed, Source
from tests.flows.data.making import digits, idx, md5, python2_pickle, tar
from tests.flows.data.mirror import FileMirror

Files = dict[str, bytes]


def test_mnist_is_the_files_and_its_last_images_validate(
    small_mnist: Files, tmp_path: Path
) -> None:
    data = load("mnist", tmp_path)
    (x, y), (test_x, test_y) = digits(30), digits(10, 1)
    parts = [(x[:20], y[:20]), (x[20:], y[20:]), (test_x, test_y)]
    for split, (pixels, labels) in zip(data.splits.values(), parts, strict=True):
        assert split.x.dtype == torch.uint8 and split.y is not None
        assert split.y.dtype == torch.int64
        assert np.array_equal(split.x.numpy(), pixels)
        assert np.array_equal(split.y.numpy(), labels)
    assert (data.name, data.classes, data.levels) == ("mnist", 10, 256)
    assert data.shape == (28, 28)


def test_mnist_s_own_split() -> None:
    assert images.HELD_OUT == 10_000
    assert FILES["mnist"][0].checksum == "md5:6bbc9ace898e44ae57da46a324031adb"


def test_labels_of_other_images_are_told(
    small_mnist: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = idx(digits(29)[1])
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(few)
    first, second, *rest = FILES["mnist"]
    other = Needed(second.path, second.source, md5(few))
    monkeypatch.setitem(FILES, "mnist", (first, other, *rest))
    with pytest.raises(DataError, match=r"labels of shape \(29,\) for images of shape"):
        load("mnist", tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "got nothing"),
        (b"\x1f\x8b\x08\x00", "expected it to begin with 00 00 08, got 1f 8b 08 00"),
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "expected it to begin with 00 00 08"),
        (b"\0\0\x08\0", "expected it to begin with"),
        (b"\0\0\x08\x03\0\0\0\x01", "ends in its header"),
        (b"\0\0\x08\x01\0\0\0\x03ab", r"expected 3 bytes for the shape \(3,\), got 2"),
        (b"\0\0\x08\x01\0\0\0\x03abcd", "cut or too long"),
    ],
)
def test_what_is_no_array_of_bytes_is_told(content: bytes, told: str) -> None:
    with pytest.raises(DataError, match=f"^the-file .*{told}"):
        read_idx(content, "the-file")


@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (0, 28, 28)])
def test_arrays_are_read_as_they_were_written(shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    assert np.array_equal(read_idx(idx(array), "").numpy(), array)


def test_black_and_white_pixels_are_drawn_by_their_level_once_and_for_all(
    small_mnist: Files, tmp_path: Path
) -> None:
    data, grey = load("binarised_mnist", tmp_path), load("mnist", tmp_path)
    random = np.random.RandomState(42)
    for (name, split), other in zip(
        data.splits.items(), grey.splits.values(), strict=True
    ):
        drawn = random.uniform(size=other.x.shape) < other.x.numpy() / 255
        assert np.array_equal(split.x.numpy(), drawn), name
        assert split.y is not None and other.y is not None
        assert torch.equal(split.y, other.y)
    assert data.train.x.dtype == torch.uint8 and data.levels == 2


def test_levels_are_the_probabilities_of_white() -> None:
    levels = torch.arange(256, dtype=torch.uint8).expand(4000, 4, 256)
    drawn = images._drawn(levels, np.random.RandomState(0)).double()
    found, p = drawn.mean((0, 1)), torch.arange(256) / 255
    assert found[0] == 0 and found[255] == 1
    errors = (found - p)[1:-1] / (p * (1 - p) / 16_000).sqrt()[1:-1]
    assert errors.abs().max() < 5
    assert errors.square().mean() < 1.5


def test_the_published_binary_file_is_read_as_numpy_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    arrays = [random.integers(0, 2, (n, 784)) for n in (5, 3, 2)]
    needed = []
    for array, old in zip(arrays, FILES["binarised_mnist_original"], strict=True):
        lines = io.BytesIO()
        np.savetxt(lines, array, fmt="%d")
        content = lines.getvalue()
        (tmp_path / old.path).write_bytes(content)
        needed.append(Needed(old.path, old.source, md5(content)))
    monkeypatch.setitem(FILES, "binarised_mnist_original", tuple(needed))
    data = load("binarised_mnist_original", tmp_path, download=False)
    for split, array in zip(data.splits.values(), arrays, strict=True):
        assert np.array_equal(split.x.flatten(1).numpy(), array)
        assert split.y is None
    assert data.shape == (28, 28) and data.train.x.dtype == torch.uint8


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "cut"),
        (b"0 1\n", "cut"),
        (b"0 " * 783 + b"2\n", "something else than the pixels 0 and 1"),
        (b" 0" * 784, "something else"),
    ],
)
def test_what_is_no_binary_file_is_told(content: bytes, told: str) -> None:
    with pytest.raises(DataError, match=f"^the-file .*{told}"):
        read_amat(content, "the-file")


def batch(n: int, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {
        "batch_label": "a text",
        "labels": random.integers(0, 10, n).tolist(),
        "data": random.integers(0, 256, (n, 3072), np.uint8),
        "filenames": ["a.png"] * n,
    }


@pytest.fixture
def small_cifar(
    mirror: FileMirror, monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, Any]]:
    """Six batches of four pictures, in an archive on the mirror."""
    batches = [batch(4, seed) for seed in range(6)]
    files = {
        old.path: python2_pickle(each)
        for old, each in zip(FILES["cifar10"], batches, strict=True)
    }
    serve_cifar(files, tar(files), mirror, monkeypatch)
    return batches


def serve_cifar(
    files: Files, archive: bytes, mirror: FileMirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.files["/cifar.tar.gz"] = archive
    url = f"{mirror.url}/cifar.tar.gz"
    source = Source("cifar10", "cifar.tar.gz", (url,), md5(archive), 1)
    needed = tuple(Needed(path, source, md5(each)) for path, each in files.items())
    monkeypatch.setitem(FILES, "cifar10", needed)


def test_cifar_s_last_tenth_of_training_pictures_validates(
    small_cifar: list[dict[str, Any]], tmp_path: Path
) -> None:
    data = load("cifar10", tmp_path)
    x = np.concatenate([each["data"] for each in small_cifar])
    y = [label for each in small_cifar for label in each["labels"]]
    # A row of a batch has the red pixels, row by row, then the green, then the blue.
    for k, channel in enumerate((slice(0, 1024), slice(1024, 2048), slice(2048, None))):
        found = torch.cat([split.x[:, k] for split in data.splits.values()])
        assert np.array_equal(found.flatten(1).numpy(), x[:, channel])
    assert [len(split) for split in data.splits.values()] == [18, 2, 4]
    labels = [split.y for split in data.splits.values() if split.y is not None]
    assert torch.cat(labels).tolist() == y
    assert data.train.x.dtype == torch.uint8 and data.shape == (3, 32, 32)


def test_what_was_unpacked_already_is_found(
    small_cifar: list[dict[str, Any]], mirror: FileMirror, tmp_path: Path
) -> None:
    load("cifar10", tmp_path)
    assert len(mirror.asked) == 1
    folder = tmp_path / "cifar10/cifar-10-batches-py"
    assert len(load("cifar10", folder, download=False).test) == 4
    (tmp_path / "cifar10/cifar.tar.gz").unlink()
    load("cifar10", tmp_path)
    assert len(mirror.asked) == 1


def test_an_archive_writes_nowhere_else(
    mirror: FileMirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {old.path: python2_pickle(batch(2, 0)) for old in FILES["cifar10"]}
    link = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    away = {
        f"../../outside/{path}" if k % 2 else f"/{tmp_path}/outside/{path}": content
        for k, (path, content) in enumerate(files.items())
    }
    serve_cifar(files, tar(away, link), mirror, monkeypatch)
    load("cifar10", tmp_path / "inside")
    assert {path.name for path in tmp_path.iterdir()} <= {"inside", "home"}
    first = tmp_path / "inside/cifar10/cifar-10-batches-py/data_batch_1"
    assert first.is_file() and not first.is_symlink()


@pytest.mark.parametrize("lacking", [True, False])
def test_an_archive_that_is_not_right_is_told(
    lacking: bool, mirror: FileMirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {old.path: python2_pickle(batch(2, 0)) for old in FILES["cifar10"]}
    other = {path: content for path, content in files.items() if "test" not in path}
    archive = tar(other) if lacking else b"no archive"
    serve_cifar(files, archive, mirror, monkeypatch)
    told = r"has no .*test_batch \(delete" if lacking else "is damaged or another file"
    with pytest.raises(DataError, match=told):
        load("cifar10", tmp_path)
    assert not list(tmp_path.rglob("*.part"))


class Harmful:
    """Would make a folder, were it loaded as pickles are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (Harmful, r"asks for posix\.mkdir, which data do not need"),
        (lambda _: [1, 2], "is no batch of CIFAR-10"),
        (lambda _: {"data": np.zeros((2, 5), np.uint8), "labels": [1, 2]}, "no batch"),
        (lambda _: {"data": np.zeros((2, 3072)), "labels": [1, 2]}, "no batch"),
        (lambda _: {"data": np.zeros((2, 3072), np.uint8), "labels": [1]}, "no batch"),
    ],
)
def test_a_batch_that_is_none_is_told_and_not_run(
    content: Any,
    told: str,
    mirror: FileMirror,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = python2_pickle(content(tmp_path / "harm"))
    files = {old.path: bad for old in FILES["cifar10"]}
    serve_cifar(files, tar(files), mirror, monkeypatch)
    with pytest.raises(DataError, match=told):
        load("cifar10", tmp_path)
    assert not (tmp_path / "harm").exists()


def test_mirror_images_follow_the_images() -> None:
    x = torch.arange(24, dtype=torch.uint8).view(2, 3, 2, 2)
    both = with_mirror_images(Split(x, torch.tensor([4, 7])))
    assert torch.equal(both.x[:2], x)
    assert both.x[2, 0].tolist() == [[1, 0], [3, 2]]
    assert both.y is not None and both.y.tolist() == [4, 7, 4, 7]
    assert with_mirror_images(Split(x)).y is None
