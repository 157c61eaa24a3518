"""Each step of preparing the tables is what MAF's authors did, computed plainly."""

from __future__ import annotations

import math
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from implementations.core.data import DataError, Dataset, load, tabular
from implementations.core.data.sources import FILES, Needed, Source
from implementations.core.data.tabular import SIZES, spread, tenths, unlike
from tests.flows.data.making import files_up_to, md5, npy, tar
from tests.flows.data.mirror import FileMirror

# Rows of each whole table, as published (MAF, Table 3; UCI).
ROWS = {"power": 2_049_280, "gas": 1_052_065, "miniboone": 36_488}


def values(n: int, columns: int, seed: int = 0) -> Any:
    random = np.random.default_rng(seed)
    return random.normal(3, 2, (n, columns)) * np.arange(1, columns + 1)


def arrays(data: Dataset) -> list[Any]:
    assert all(split.x.dtype == torch.float32 for split in data.splits.values())
    assert all(split.y is None for split in data.splits.values())
    assert data.classes == data.levels == 0
    return [split.x.double().numpy() for split in data.splits.values()]


def expect_sizes(name: str, sizes: tuple[int, ...], patch: pytest.MonkeyPatch) -> None:
    patch.setitem(SIZES, name, sizes)


def put(name: str, contents: list[bytes], folder: Path) -> None:
    for needed, content in zip(FILES[name], contents, strict=True):
        path = folder / needed.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.mark.parametrize("name", ROWS)
def test_splits_of_whole_tables_have_the_paper_s_sizes(name: str) -> None:
    table = np.broadcast_to(0.0, (ROWS[name], SIZES[name][0]))
    assert tuple(map(len, tenths(table))) == SIZES[name][1:]


def test_hepmass_s_training_file_is_split_as_the_paper_s() -> None:
    _, train, validation, _ = SIZES["hepmass"]
    assert int(0.1 * (train + validation)) == validation


def test_tenths_are_cut_from_the_end() -> None:
    train, validation, test = tenths(np.arange(25.0)[:, None])
    assert test[:, 0].tolist() == [23, 24]
    assert validation[:, 0].tolist() == [21, 22]
    assert train[:, 0].tolist() == list(range(21))


def plainly_standardised(rows: list[list[float]], known: int) -> list[list[float]]:
    """Column by column, by the first `known` rows."""
    columns = []
    for column in zip(*rows, strict=True):
        mean = math.fsum(column[:known]) / known
        std = math.sqrt(math.fsum((v - mean) ** 2 for v in column[:known]) / known)
        columns.append([(v - mean) / std for v in column])
    return [list(row) for row in zip(*columns, strict=True)]


def test_miniboone_is_standardised_by_all_but_the_test_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = values(50, 4)
    put("miniboone", [npy(x)], tmp_path)
    expect_sizes("miniboone", (4, 41, 4, 5), monkeypatch)
    found = np.concatenate(arrays(load("miniboone", tmp_path)))
    np.testing.assert_allclose(found, plainly_standardised(x.tolist(), 45), rtol=1e-5)


def test_power_is_shuffled_thinned_and_spread_as_the_authors_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = values(60, 8)
    random = np.random.RandomState(42)
    shuffled = x.copy()
    random.shuffle(shuffled)
    voltage, active = random.rand(60), random.rand(60)
    meters = random.rand(180).reshape(60, 3)
    rows = []
    for k, (kw, _, volts, _, *subs, minute) in enumerate(shuffled.tolist()):
        noisy = [sub + noise for sub, noise in zip(subs, meters[k], strict=True)]
        rows.append([kw + active[k] / 1000, volts + voltage[k] / 100, *noisy, minute])
    before = x.copy()
    np.testing.assert_allclose(spread(x), rows, rtol=1e-12)
    assert np.array_equal(x, before)
    put("power", [npy(x)], tmp_path)
    expect_sizes("power", (6, 49, 5, 6), monkeypatch)
    found = np.concatenate(arrays(load("power", tmp_path)))
    np.testing.assert_allclose(found, plainly_standardised(rows, 54), rtol=1e-5)


def drop_one_by_one(x: Any) -> Any:
    """The authors' loop: drop the first column that is nearly another, ask again."""
    kept = list(range(x.shape[1]))
    while True:
        near = [
            sum(np.corrcoef(x[:, a], x[:, b])[0, 1] > 0.98 for b in kept) for a in kept
        ]
        if max(near) <= 1:
            return x[:, kept]
        del kept[next(k for k, n in enumerate(near) if n > 1)]


@pytest.mark.parametrize("seed", range(20))
def test_columns_are_dropped_as_by_the_authors_loop(seed: int) -> None:
    random = np.random.default_rng(seed)
    # In a chain of twins, who is whose depends on who has left.
    steps = random.normal(size=(400, 9)) * random.choice([0.1, 1, 3], 9)
    x = np.cumsum(steps, 1)
    x[:, 3] *= -1
    assert np.array_equal(unlike(x), drop_one_by_one(x))


def test_gas_is_standardised_by_all_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensors = values(50, 3)
    twin = sensors[:, :1] * 2 + 1
    columns = np.hstack((values(50, 3, seed=1), twin, sensors))
    names = ["Time", "Meth", "Eth", "R1", "R2", "R3", "R4"]
    table = dict(zip(names, columns.T, strict=True))
    monkeypatch.setattr(tabular, "read_table", lambda content, name: table)
    put("gas", [b"pickle"], tmp_path)
    expect_sizes("gas", (3, 41, 4, 5), monkeypatch)
    found = np.concatenate(arrays(load("gas", tmp_path)))
    wanted = np.array(plainly_standardised(sensors.tolist(), 50)) * math.sqrt(49 / 50)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def csv(table: Any, header: str, end: str = "") -> bytes:
    lines = [",".join(f"{value:.18e}" for value in row) + end for row in table]
    return "\n".join([header, *lines, ""]).encode()


@pytest.mark.parametrize("more", [True, False])
def test_hepmass_is_its_signal_without_repeated_values(
    more: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, test = values(60, 6), values(30, 6, seed=1)
    for k, part in enumerate((train, test)):
        part[:, 0] = np.arange(len(part)) % 2
        part[:, 2] = np.maximum(part[:, 2], 8 - k)  # the smallest value comes often
        part[1:10:2, 3] = -99  # the smallest value comes five times
        part[1::3, 4] = 50  # often, but not the smallest
    # The header of the test file names one column more, or there is one more.
    extra = np.hstack((test, np.full((30, 1), 1000.0))) if more else test
    header = "# label,f0,f1,f2,f3,f4"
    put("hepmass", [csv(train, header), csv(extra, header + ",mass")], tmp_path)
    expect_sizes("hepmass", (4, 27, 3, 15), monkeypatch)
    found = np.concatenate(arrays(load("hepmass", tmp_path)))
    signal = [
        [row[1:] for row in part.tolist() if row[0] == 1] for part in (train, test)
    ]
    repeats = [sorted(Counter(c).items())[0][1] for c in zip(*signal[0], strict=True)]
    assert repeats[1] > 5 and repeats[2] == 5
    both = [*signal[0], *signal[1]]
    kept = [[v for v, n in zip(r, repeats, strict=True) if n <= 5] for r in both]
    wanted = np.array(plainly_standardised(kept, 30)) * math.sqrt(29 / 30)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_bsds300_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import h5py

    parts = {"train": values(6, 3), "validation": values(2, 3), "test": values(4, 3)}
    path = tmp_path / FILES["bsds300"][0].path
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        for name, part in parts.items():
            file[name] = part
    expect_sizes("bsds300", (3, 6, 2, 4), monkeypatch)
    for found, part in zip(
        arrays(load("bsds300", tmp_path)), parts.values(), strict=True
    ):
        assert np.array_equal(found, part.astype(np.float32))
    with h5py.File(path, "a") as file:
        del file["test"]
    with pytest.raises(DataError, match="is no file of BSDS300"):
        load("bsds300", tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="cannot be read"):
        load("bsds300", tmp_path)


def test_without_h5py_one_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("bsds300", [b"HDF5"], tmp_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError, match=r"h5py is not installed.*\[flows,scale\]"):
        load("bsds300", tmp_path)


@pytest.mark.parametrize(
    ("name", "contents", "told"),
    [
        ("power", [b"no array"], "cannot be read"),
        ("miniboone", [npy(values(50, 4))[:-10]], "cannot be read"),
        (
            "miniboone",
            [npy(values(50, 4))],
            "expected 29,556 .* got 41 . 4 . 5 rows of",
        ),
        ("gas", [b"no pickle"], "cannot be read"),
        ("hepmass", [b"# label,f0\n1,2\n", b"# label,f0\n1,x\n"], "cannot be read"),
        ("hepmass", [b"\xff\xfe", b""], "cannot be read"),
    ],
)
def test_files_that_are_not_right_are_told(
    name: str, contents: list[bytes], told: str, tmp_path: Path
) -> None:
    put(name, contents, tmp_path)
    with pytest.raises(DataError, match=told):
        load(name, tmp_path)


def test_an_array_of_objects_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / FILES["power"][0].path
    path.parent.mkdir(parents=True)
    np.save(path, np.array([print], object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        load("power", tmp_path)


def serve_tables(
    tables: dict[str, bytes], mirror: FileMirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mirror has an archive of them, as of MAF's authors."""
    archive = tar({f"data/{name}/data.npy": each for name, each in tables.items()})
    mirror.files["/data.tar.gz"] = archive
    url = f"{mirror.url}/data.tar.gz"
    source = Source("maf", "data.tar.gz", (url,), md5(archive), 1)
    for name in tables:
        needed = Needed(FILES[name][0].path, source)
        monkeypatch.setitem(FILES, name, (needed,))


def test_a_disk_that_is_full_keeps_the_archive_and_no_half_table(
    mirror: FileMirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = np.zeros((5000, 8))  # easily zipped
    serve_tables({"power": npy(table)}, mirror, monkeypatch)
    with (
        files_up_to(2**16),
        pytest.raises(DataError, match=r"data\.npy cannot be written: .* \(make room"),
    ):
        load("power", tmp_path)
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"data.tar.gz", ".lock"}
    with (
        pytest.raises(DataError, match="expected 1,659,917"),
        np.errstate(all="ignore"),
    ):
        load("power", tmp_path, download=False)


def test_of_the_one_archive_each_set_takes_its_own(
    mirror: FileMirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = {"power": npy(values(60, 8)), "miniboone": npy(values(50, 4))}
    serve_tables(tables, mirror, monkeypatch)
    expect_sizes("power", (6, 49, 5, 6), monkeypatch)
    expect_sizes("miniboone", (4, 41, 4, 5), monkeypatch)
    load("power", tmp_path)
    assert not (tmp_path / "maf/data/miniboone").exists()
    load("miniboone", tmp_path)
    assert len(mirror.asked) == 1
    # As whoever unpacked the archive has it: `data.npy` alone could be either.
    for folder in (tmp_path / "maf", tmp_path / "maf/data"):
        assert len(load("power", folder, download=False).train) == 49
    with pytest.raises(DataError, match=r"power: data\.npy is not in"):
        load("power", tmp_path / "maf/data/miniboone", download=False)
