"""Pickles are read without pandas, and nothing that they ask for is run."""

from __future__ import annotations

import os
import pickle
from typing import Any

import numpy as np
import pytest

from implementations.core.data import DataError
from implementations.core.data.pickles import read_plain, read_table
from tests.flows.data.making import python2_pickle


class OldFrame:
    """Written as a DataFrame of pandas 0.20."""

    written_as = "pandas.core.frame.DataFrame"

    def __init__(self, columns: list[str], *blocks: tuple[Any, Any]) -> None:
        self.manager = OldManager(columns, *blocks)

    def __getstate__(self) -> Any:
        return {"_data": self.manager, "_typ": "dataframe", "_metadata": []}


class OldManager:
    """Written as the manager of its blocks."""

    written_as = "pandas.core.internals.BlockManager"

    def __init__(self, columns: list[str], *blocks: tuple[Any, Any]) -> None:
        self.columns, self.blocks = columns, blocks

    def __getstate__(self) -> Any:
        axes = [OldIndex(np.array(self.columns, object)), OldIndex(np.arange(3))]
        values = [each for each, _ in self.blocks]
        blocks = [{"values": v, "mgr_locs": places} for v, places in self.blocks]
        return axes, values, axes[:1], {"0.14.1": {"axes": axes, "blocks": blocks}}


class OldIndex:
    """Written as names of columns or rows."""

    written_as = "pandas.core.indexes.base.Index"

    def __init__(self, data: Any) -> None:
        self.data = data

    def __reduce__(self) -> Any:
        return new_index, (OldIndex, {"data": self.data, "name": None})


def new_index(kind: type, state: dict[str, Any]) -> Any:
    raise AssertionError("only noted, never called")


setattr(new_index, "written_as", "pandas.core.indexes.base._new_Index")  # noqa: B010


def test_a_table_is_read_whatever_blocks_pandas_kept_it_in() -> None:
    reals = np.array([[0.5, 1.5, 2.5], [3.5, 4.5, 5.5]])
    whole = np.array([[7, 8, 9]])
    single = np.array([[0.1, 0.2, 0.3]], np.float32)
    frame = OldFrame(
        ["Time", "CO", "Eth", "R1"],
        (reals, slice(0, 4, 2)),
        (whole, np.array([1])),
        (single, slice(3, 4, 1)),
    )
    table = read_table(python2_pickle(frame), "")
    assert list(table) == ["Time", "CO", "Eth", "R1"]
    assert table["Time"].tolist() == [0.5, 1.5, 2.5]
    assert table["CO"].tolist() == [7, 8, 9]
    assert table["Eth"].tolist() == [3.5, 4.5, 5.5]
    assert table["R1"].tolist() == single[0].astype(float).tolist()


@pytest.mark.parametrize(
    "thing",
    [
        [1, 2],
        {"_data": 1},
        OldFrame(["a", "b"], (np.ones((1, 3)), slice(0, 2, 1))),
        OldFrame(["a"], (np.array([["text"]], object), slice(0, 1, 1))),
        OldFrame(["a"], (np.ones((1, 3)), np.array([5]))),
    ],
    ids=["a list", "a dictionary", "too few", "texts", "out of place"],
)
def test_what_is_no_table_is_told(thing: Any) -> None:
    with pytest.raises(DataError, match=r"^the-file holds no table of numbers"):
        read_table(python2_pickle(thing), "the-file")


@pytest.mark.parametrize(
    "thing",
    [
        {"data": np.arange(6, dtype=np.uint8).reshape(2, 3), "labels": [1, 2]},
        [np.float64(0.25), 3, "ä text", None, (True, 1.5)],
        slice(1, 5, 2),
    ],
)
@pytest.mark.parametrize("write", [python2_pickle, lambda x: pickle.dumps(x, 4)])
def test_arrays_and_plain_types_are_read(thing: Any, write: Any) -> None:
    np.testing.assert_equal(read_plain(write(thing), ""), thing)


class Asking:
    """Asks for something when it is loaded as pickles are."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.asked = function, arguments

    def __reduce__(self) -> Any:
        return self.asked


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (Asking(os.system, "exit 1"), r"posix\.system"),
        (Asking(eval, "1"), r"builtins\.eval"),
        (Asking(getattr, 1, "real"), r"builtins\.getattr"),
        (Asking(np.load, "file"), r"numpy\.load"),
        (Asking(np.testing.assert_equal, 1, 2), r"numpy.*assert_equal"),
        (Asking(pickle.loads, b""), r"_?pickle\.loads"),
    ],
)
@pytest.mark.parametrize("write", [python2_pickle, lambda x: pickle.dumps(x, 4)])
def test_what_data_do_not_need_is_refused_by_name(
    thing: Any, name: str, write: Any
) -> None:
    with pytest.raises(
        DataError, match=f"^the-file cannot be read: it asks for {name}"
    ):
        read_plain(write(thing), "the-file")


def test_pandas_own_functions_are_noted_and_not_run() -> None:
    harmful = b"cpandas\neval\n(S'1/0'\ntR."
    assert read_plain(harmful, "").args == ("1/0",)


@pytest.mark.parametrize(
    "content", [b"", b"no pickle", python2_pickle([np.arange(9)])[:-20]]
)
def test_a_damaged_pickle_is_told(content: bytes) -> None:
    with pytest.raises(DataError, match=r"^the-file cannot be read: "):
        read_plain(content, "the-file")
