"""Pickles read without running what they say: arrays, plain types, tables of pandas.

A pickle is a program. This reader lets it make arrays of numpy, numbers, texts, lists
and dictionaries, and nothing else; objects of pandas are noted, not made, so pandas
itself is not needed, of whatever version the file is.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np

from implementations.core.data.dataset import DataError

_ARRAY = np.zeros(0).__reduce__()[0]
_NUMBER = np.float64(0).__reduce__()[0]
_ALLOWED = {
    **dict.fromkeys(
        [
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
        ],
        _ARRAY,
    ),
    **dict.fromkeys(
        [("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar")],
        _NUMBER,
    ),
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("builtins", "slice"): slice,
}
# Between blocks and axes of a table, since pandas 0.14.1 and until 1.2.
_LAYOUT = "0.14.1"


class PandasObject:
    """Stands for an object of pandas: with what it was made, and its state."""

    args: tuple[Any, ...] = ()
    state: Any = None

    def __new__(cls, *args: Any) -> PandasObject:
        made = super().__new__(cls)
        made.args = args
        return made

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _PlainReader(pickle.Unpickler):
    """Reads what is on the list, and refuses everything else by name."""

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "pandas":
            return type(name, (PandasObject,), {})
        if module == "__builtin__":  # so called in Python 2
            module = "builtins"
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which data do not need"
            ) from None


def read_plain(content: bytes, name: str) -> Any:
    """Read a pickle, also one of Python 2.

    Raises DataError, which calls it `name`, where it is damaged, or asks for more than
    data need.
    """
    try:
        return _PlainReader(io.BytesIO(content), encoding="latin1").load()
    # A damaged pickle may fail in any way.
    except Exception as error:
        raise DataError(
            f"{name} cannot be read: {error or type(error).__name__} (delete it, then "
            "run again; it is not the file that was published)"
        ) from None


def read_table(content: bytes, name: str) -> dict[str, np.ndarray]:
    """Read the columns of a pickled DataFrame, as pandas 0.14.1 to 1.2 wrote them.

    Raises DataError, as `read_plain`, and where it holds something else.
    """
    try:
        manager = read_plain(content, name).state["_data"]
        layout = manager.state[3][_LAYOUT]
        names = layout["axes"][0].args[1]["data"].tolist()
        columns: dict[int, np.ndarray] = {}
        for block in layout["blocks"]:
            places = np.arange(len(names))[block["mgr_locs"]]
            values = np.asarray(block["values"], np.float64)
            columns |= zip(places.tolist(), values, strict=True)
        return {str(names[place]): columns[place] for place in sorted(columns)}
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise DataError(
            f"{name} holds no table of numbers that pandas wrote, of a version before "
            "1.3"
        ) from None
