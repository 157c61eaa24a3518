"""POWER, GAS, HEPMASS, MINIBOONE and BSDS300, prepared as MAF's authors did.

Each step is that of their `datasets/<name>.py` (https://github.com/gpapamak/maf), with
the same random numbers; computed in double precision, kept in single.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from implementations.core.data.checks import unreadable
from implementations.core.data.dataset import INSTALL, DataError, Dataset, Split
from implementations.core.data.pickles import read_table
from implementations.core.data.store import Store

Table = NDArray[np.float64]
Three = tuple[Table, Table, Table]

SIZES = {
    "power": (6, 1_659_917, 184_435, 204_928),
    "gas": (8, 852_174, 94_685, 105_206),
    "hepmass": (21, 315_123, 35_013, 174_987),
    "miniboone": (43, 29_556, 3_284, 3_648),
    "bsds300": (63, 1_000_000, 50_000, 250_000),
}
"""Of each set: columns, and rows to train, to validate and to test (MAF, Table 3)."""
SEED = 42
ALIKE = 0.98
"""GAS: of columns correlated more than that, only the last is kept."""
REPEATED = 5
"""HEPMASS: a column whose smallest value comes more often than that is dropped."""


def power(store: Store) -> Dataset:
    """Household power consumption: six numbers, spread by noise, standardised."""
    (path,) = store.paths()
    return _dataset(
        "power",
        standardised(*tenths(spread(_array(path)))),
        f"Shuffled (seed {SEED}); global reactive power and intensity dropped; uniform "
        "noise added, of the width of a unit in which each number is given, none to "
        "the time; the last tenth tests, of the rest the last tenth validates; "
        "standardised by the mean and deviation of training and validation data.",
    )


def gas(store: Store) -> Dataset:
    """Gas sensors: eight numbers, standardised."""
    (path,) = store.paths()
    table = read_table(_bytes(path), str(path))
    try:
        sensors = np.stack([v for k, v in table.items() if k not in _NO_SENSORS], 1)
    except ValueError:
        raise DataError(f"{path} has no columns of sensors") from None
    x = unlike(sensors)
    x = (x - x.mean(0)) / x.std(0, ddof=1)
    return _dataset(
        "gas",
        tenths(x),
        "Concentrations and time dropped, then every sensor whose correlation with a "
        f"later one is above {ALIKE}; standardised by the mean and deviation of all "
        "rows, test data included; the last tenth tests, of the rest the last tenth "
        "validates.",
    )


_NO_SENSORS = {"Meth", "Eth", "Time"}


def hepmass(store: Store) -> Dataset:
    """Particles of mass 1000: 21 numbers of the signal class, standardised."""
    first, second = store.paths()
    width = len(_header(first))
    # The test file has a column more, "because the data set is messed up" (MAF's code).
    read = (_csv(path, width) for path in (first, second))
    train, test = (part[part[:, 0] == 1, 1:] for part in read)
    mean, std = train.mean(0), train.std(0, ddof=1)
    kept = seldom_repeated(train)
    train, test = ((part - mean)[:, kept] / std[kept] for part in (train, test))
    n = int(len(train) * 0.1)
    return _dataset(
        "hepmass",
        (train[:-n], train[-n:], test),
        "The signal class alone; columns dropped whose smallest value comes more than "
        f"{REPEATED} times; standardised by the mean and deviation of the training "
        "file, whose last tenth validates.",
    )


def miniboone(store: Store) -> Dataset:
    """Neutrino events: 43 numbers, standardised."""
    (path,) = store.paths()
    return _dataset(
        "miniboone",
        standardised(*tenths(_array(path))),
        "The authors' file, without outliers and columns of repeated values; the last "
        "tenth tests, of the rest the last tenth validates; standardised by the mean "
        "and deviation of training and validation data.",
    )


def bsds300(store: Store) -> Dataset:
    """Patches of 8×8 grey pixels without their mean: 63 numbers, as they are."""
    (path,) = store.paths()
    try:
        import h5py
    except ImportError:
        raise DataError(
            f"bsds300: h5py is not installed, which {path.name} needs (install it: "
            f"{INSTALL})"
        ) from None
    try:
        with h5py.File(path, "r") as file:
            parts: list[Any] = [file[name] for name in ("train", "validation", "test")]
            train, validation, test = (np.asarray(part[()]) for part in parts)
    except OSError as error:
        raise unreadable(path, error) from None
    except KeyError as error:
        raise DataError(f"{path} is no file of BSDS300: {error}") from None
    return _dataset(
        "bsds300",
        (train, validation, test),
        "The authors' file: patches with uniform noise, scaled to [0, 1], their mean "
        "taken off and the last pixel dropped; no further scaling.",
    )


def spread(x: Table) -> Table:
    """Shuffle the rows of POWER, drop columns 1 and 3, add noise to all but the last.

    In the authors' order of draws: first the voltage's noise, of width 0.01, then the
    active power's (0.001), then the sub-meters' (1).
    """
    random = np.random.RandomState(SEED)
    x = x.copy()
    random.shuffle(x)
    x = np.delete(x, (1, 3), 1)
    n = len(x)
    voltage = 0.01 * random.rand(n, 1)
    active = 0.001 * random.rand(n, 1)
    meters = random.rand(n, 3)
    return x + np.hstack((active, voltage, meters, np.zeros((n, 1))))


def tenths(x: Table) -> Three:
    """The last tenth to test, of the rest the last tenth to validate, rounded down."""
    rest, test = _cut(x)
    train, validation = _cut(rest)
    return train, validation, test


def _cut(x: Table) -> tuple[Table, Table]:
    at = len(x) - int(0.1 * len(x))
    return x[:at], x[at:]


def standardised(train: Table, validation: Table, test: Table) -> Three:
    """Subtract the mean and divide by the deviation of training and validation data."""
    known = np.vstack((train, validation))
    mean, std = known.mean(0), known.std(0)
    return (train - mean) / std, (validation - mean) / std, (test - mean) / std


def unlike(x: Table) -> Table:
    """Drop each column that is nearly a later one.

    The authors drop the first that is nearly another, as long as there is one: the same
    columns, since what is nearly an earlier one has lost it by then.
    """
    alike = np.corrcoef(x, rowvar=False) > ALIKE
    return x[:, ~np.triu(alike, 1).any(1)]


def seldom_repeated(x: Table) -> NDArray[np.bool_]:
    """Return which columns have their smallest value at most REPEATED times."""
    return (x == x.min(0)).sum(0) <= REPEATED


def _dataset(name: str, parts: Three, preparation: str) -> Dataset:
    found = (parts[0].shape[1], *map(len, parts))
    if found != SIZES[name]:
        raise DataError(
            f"{name}: expected {_told(SIZES[name])}, got {_told(found)} (these are not "
            "the files that MAF's authors published)"
        )
    splits = (
        Split(torch.from_numpy(np.ascontiguousarray(part, np.float32)))
        for part in parts
    )
    return Dataset(name, *splits, preparation=preparation)


def _told(sizes: tuple[int, ...]) -> str:
    columns, *rows = sizes
    return f"{' + '.join(f'{n:,}' for n in rows)} rows of {columns} numbers"


def _array(path: Path) -> Table:
    try:
        return np.load(path, allow_pickle=False).astype(np.float64)
    except (OSError, ValueError, EOFError) as error:
        raise _unread(path, error) from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline().split(",")
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError as error:
        raise _unread(path, error) from None


def _csv(path: Path, width: int) -> Table:
    """The first numbers of each line, between commas, below a line of names."""
    try:
        return np.loadtxt(
            path,
            delimiter=",",
            skiprows=1,
            usecols=range(width),
            ndmin=2,
        )
    except OSError as error:
        raise unreadable(path, error) from None
    except ValueError as error:
        raise _unread(path, error) from None


def _unread(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} cannot be read: {error} (delete it, then run again)")
