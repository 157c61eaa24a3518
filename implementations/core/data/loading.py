"""Data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from implementations.core.data import images, tabular
from implementations.core.data.dataset import DataError, Dataset
from implementations.core.data.store import Store, data_folder

_LOADERS: dict[str, Callable[[Store], Dataset]] = {
    "mnist": images.mnist,
    "binarised_mnist": images.binarised_mnist,
    "binarised_mnist_original": images.binarised_mnist_original,
    "cifar10": images.cifar10,
    "power": tabular.power,
    "gas": tabular.gas,
    "hepmass": tabular.hepmass,
    "miniboone": tabular.miniboone,
    "bsds300": tabular.bsds300,
}
NAMES = tuple(_LOADERS)


def load(name: str, folder: Path | None = None, *, download: bool = True) -> Dataset:
    """Load a data set into memory, on the CPU; download it first where it is missing.

    Its files lie in the folder: DATA, or a folder in the user's cache, unless another
    is given. Several processes may load the same at once; one of them downloads.

        data = load("mnist")
        data.train.x.shape  # (50000, 28, 28)

    Raises:
        DataError: where a name is unknown, where a file is missing and cannot be
            downloaded, and where one is damaged; it says what to do.
    """
    if name not in _LOADERS:
        raise DataError(f"there are no data `{name}`; there are {', '.join(NAMES)}")
    return _LOADERS[name](Store(name, folder or data_folder(), download))
