"""MNIST, binary MNIST and CIFAR-10, split as the papers' authors did."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from implementations.core.data.dataset import DataError, Dataset, Split
from implementations.core.data.idx import read_idx
from implementations.core.data.store import Store

HELD_OUT = 10_000
"""How many of MNIST's training images, the last, validate."""
SEED = 42
"""Decides which pixels of the drawn binary MNIST are white."""
_SIDE = 28


def mnist(store: Store) -> Dataset:
    """Levels 0 to 255 of shape (n, 28, 28): 50,000, 10,000 and 10,000 digits.

    The split is the one of MAF's authors (§4.2; their `datasets/mnist.py` reads
    mnist.pkl.gz, whose validation images are the last 10,000 of the training file).
    """
    names = [needed.path for needed in store.needed]
    contents = zip(store.contents(), names, strict=True)
    read = [read_idx(each, name) for each, name in contents]
    for x, y, name in ((*read[:2], names[1]), (*read[2:], names[3])):
        if x.ndim != 3 or y.shape != x.shape[:1]:
            raise DataError(
                f"{name} has labels of shape {tuple(y.shape)} for images of shape "
                f"{tuple(x.shape)}"
            )
    x, y, test_x, test_y = read[0], read[1].long(), read[2], read[3].long()
    return Dataset(
        "mnist",
        Split(x[:-HELD_OUT], y[:-HELD_OUT]),
        Split(x[-HELD_OUT:], y[-HELD_OUT:]),
        Split(test_x, test_y),
        classes=10,
        levels=256,
        preparation=f"The last {HELD_OUT:,} images of the training file validate.",
    )


def binarised_mnist(store: Store) -> Dataset:
    """Pixels 0 or 1 of shape (n, 28, 28), drawn from MNIST once and for all.

    A pixel is white with the probability of its level over 255. The papers' file, which
    cannot be made from MNIST, is `binarised_mnist_original`.
    """
    grey = mnist(store)
    # numpy promises that this generator's numbers never change.
    random = np.random.RandomState(SEED)
    splits = {
        name: Split(_drawn(split.x, random), split.y)
        for name, split in grey.splits.items()
    }
    return Dataset(
        "binarised_mnist",
        **splits,
        classes=10,
        levels=2,
        preparation=(
            "Each pixel of MNIST is white with the probability of its level, drawn "
            f"once with seed {SEED}: not the file of the papers, another draw. "
            f"The last {HELD_OUT:,} images of the training file validate."
        ),
    )


def _drawn(x: Tensor, random: np.random.RandomState) -> Tensor:
    return torch.cat(
        [
            torch.from_numpy(random.random_sample(part.shape) < part.numpy() / 255.0)
            for part in x.split(1000)
        ]
    ).to(torch.uint8)


def binarised_mnist_original(store: Store) -> Dataset:
    """Pixels 0 or 1 of shape (n, 28, 28), without labels: the file of the papers.

    Drawn by Salakhutdinov and Murray (2008), published by Larochelle; 50,000, 10,000
    and 10,000 digits.
    """
    names = [needed.path for needed in store.needed]
    contents = zip(store.contents(), names, strict=True)
    splits = [Split(read_amat(each, name)) for each, name in contents]
    return Dataset(
        "binarised_mnist_original",
        *splits,
        levels=2,
        preparation="As published; without labels.",
    )


def read_amat(content: bytes, name: str) -> Tensor:
    """Read lines of 784 digits 0 or 1, each with one character behind it."""
    width = 2 * _SIDE * _SIDE
    if not content or len(content) % width:
        raise DataError(f"{name} is cut: expected whole lines of {width:,} bytes")
    lines = np.frombuffer(content, np.uint8).reshape(-1, _SIDE, _SIDE, 2)
    pixels = lines[..., 0] - np.uint8(ord("0"))
    if pixels.max() > 1:
        raise DataError(f"{name} holds something else than the pixels 0 and 1")
    return torch.from_numpy(pixels)


def cifar10(store: Store) -> Dataset:
    """Levels 0 to 255 of shape (n, 3, 32, 32): 45,000, 5,000 and 10,000 pictures.

    The last tenth of the training pictures validates, as in MAF's `datasets/cifar10.py`
    (which also trains on their mirror images: `with_mirror_images`).
    """
    from implementations.core.data.pickles import read_plain

    batches = [
        _batch(read_plain(each, needed.path), needed.path)
        for each, needed in zip(store.contents(), store.needed, strict=True)
    ]
    train, test = _joined(batches[:-1]), batches[-1]
    n = int(0.9 * len(train))
    return Dataset(
        "cifar10",
        Split(train.x[:n], _labels(train)[:n]),
        Split(train.x[n:], _labels(train)[n:]),
        test,
        classes=10,
        levels=256,
        preparation="The last tenth of the training pictures validates.",
    )


def with_mirror_images(split: Split) -> Split:
    """The images, and behind them each of them mirrored left to right."""
    y = None if split.y is None else split.y.repeat(2)
    return Split(torch.cat((split.x, split.x.flip(-1))), y)


def _batch(batch: object, name: str) -> Split:
    data = batch.get("data") if isinstance(batch, dict) else None
    labels = batch.get("labels") if isinstance(batch, dict) else None
    if (
        not isinstance(data, np.ndarray)
        or data.dtype != np.uint8
        or data.ndim != 2
        or data.shape[1] != 3 * 32 * 32
        or not isinstance(labels, list)
        or len(labels) != len(data)
    ):
        raise DataError(f"{name} is no batch of CIFAR-10: expected data and labels")
    return Split(
        torch.from_numpy(data.reshape(-1, 3, 32, 32).copy()),
        torch.from_numpy(np.array(labels, np.int64)),
    )


def _joined(splits: Sequence[Split]) -> Split:
    y = torch.cat([_labels(split) for split in splits])
    return Split(torch.cat([split.x for split in splits]), y)


def _labels(split: Split) -> Tensor:
    assert split.y is not None
    return split.y
