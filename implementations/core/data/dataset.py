"""A data set in memory, split into three, and the error when there is none."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from torch import Tensor

INSTALL = "python -m pip install -c constraints.txt -e '.[flows,scale]'"
"""The command, in a clone, for the packages that downloading and HDF5 need."""


class DataError(Exception):
    """A data set cannot be had; the message says which file, why, and what to do."""


@dataclass(frozen=True, eq=False)
class Split:
    """Events `x` of shape (n, *event), and their labels `y`: longs of shape (n,)."""

    x: Tensor
    y: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three splits of data, prepared as the paper's authors did.

    `classes` is the number of labels, 0 where there are none. `levels` is the number of
    values that a pixel takes (256, or 2 where it is black or white), 0 where data are
    real numbers. `preparation` says in words what was done.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    _: KW_ONLY
    classes: int = 0
    levels: int = 0
    preparation: str = ""

    @property
    def splits(self) -> dict[str, Split]:
        """The three splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one event."""
        return tuple(self.train.x.shape[1:])
