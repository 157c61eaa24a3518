"""Files are found where they lie, and told of where they are missing or damaged."""

from __future__ import annotations

import gzip
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from implementations.core.data import DataError, load
from implementations.core.data.store import data_folder
from tests.flows.data.making import idx, zipped
from tests.flows.data.mirror import FileMirror

Files = dict[str, bytes]
TRAIN = "train-images-idx3-ubyte"


def put(files: Files, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.lstrip("/")).write_bytes(content)


@pytest.mark.parametrize("form", [dict, zipped])
@pytest.mark.parametrize("below", ["", "mnist"])
def test_files_are_found_zipped_or_not_and_nothing_is_downloaded(
    form: type[dict[str, bytes]],
    below: str,
    small_mnist: Files,
    mirror: FileMirror,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(form(small_mnist), tmp_path / "mine" / below)
    monkeypatch.setenv("DATA", str(tmp_path / "mine"))
    assert len(load("mnist").train) == 20
    assert mirror.asked == []
    assert not (tmp_path / "mine" / "mnist" / ".lock").exists()


def test_missing_files_are_downloaded_once_into_the_user_s_cache(
    small_mnist: Files, mirror: FileMirror, home: Path
) -> None:
    load("mnist")
    load("mnist")
    assert len(mirror.asked) == 4
    there = home / ".cache/awesome-normalizing-flows/mnist"
    names = {path.name for path in there.iterdir()} - {".lock"}
    assert names == {f"{name}.gz" for name in small_mnist}


def test_a_folder_goes_before_data_and_data_before_the_cache(
    tmp_path: Path,
    home: Path,
    small_mnist: Files,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert data_folder() == home / ".cache/awesome-normalizing-flows"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data_folder() == tmp_path / "cache/awesome-normalizing-flows"
    monkeypatch.setenv("DATA", "~/data")
    assert data_folder() == home / "data"
    load("mnist", tmp_path / "here")
    assert (tmp_path / "here/mnist").is_dir() and not data_folder().exists()


def test_only_what_is_missing_is_downloaded(
    small_mnist: Files, mirror: FileMirror, tmp_path: Path
) -> None:
    put({TRAIN: small_mnist[TRAIN]}, tmp_path)
    load("mnist", tmp_path)
    assert len(mirror.asked) == 3


def test_of_several_at_once_one_downloads(
    small_mnist: Files, mirror: FileMirror, tmp_path: Path
) -> None:
    mirror.piece, mirror.pause = 2000, 0.005
    loaded = []
    threads = [
        threading.Thread(target=lambda: loaded.append(load("mnist", tmp_path)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 4
    assert len(mirror.asked) == 4


def test_what_another_process_got_meanwhile_is_taken(
    small_mnist: Files,
    mirror: FileMirror,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lock(path: Path) -> AbstractContextManager[None]:
        put(small_mnist, tmp_path)
        return nullcontext()

    monkeypatch.setattr("filelock.FileLock", lock)
    load("mnist", tmp_path)
    assert mirror.asked == []


def test_offline_one_is_told_what_to_fetch_by_hand(
    small_mnist: Files, mirror: FileMirror, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as told:
        load("mnist", tmp_path, download=False)
    assert str(told.value) == (
        f"mnist: {TRAIN} is not in {tmp_path} (download {mirror.url}/{TRAIN}.gz into "
        f"{tmp_path}/mnist, or set DATA to the folder where it lies)"
    )
    assert mirror.asked == [] and list(tmp_path.iterdir()) == []


def test_another_file_of_that_name_is_told_and_left_alone(
    small_mnist: Files, tmp_path: Path
) -> None:
    other = idx(__import__("numpy").zeros((30, 28, 28), "uint8"))
    put({**small_mnist, TRAIN: other}, tmp_path)
    with pytest.raises(
        DataError, match=r"its checksum is md5:\w+, expected md5:\w+ \("
    ):
        load("mnist", tmp_path)
    assert (tmp_path / TRAIN).read_bytes() == other


@pytest.mark.parametrize(
    "damage",
    [
        lambda zipped: zipped[:-10],
        lambda zipped: zipped[:200] + bytes(50) + zipped[250:],
        lambda zipped: b"no gzip" + zipped,
        lambda zipped: b"",
    ],
    ids=["cut", "overwritten", "not zipped", "empty"],
)
def test_a_damaged_file_is_told_by_name(
    damage: type[bytes], small_mnist: Files, tmp_path: Path
) -> None:
    whole = gzip.compress(small_mnist[TRAIN])
    put({**small_mnist, f"{TRAIN}.gz": damage(whole)}, tmp_path)
    (tmp_path / TRAIN).unlink()
    with pytest.raises(DataError, match=rf"{TRAIN}\.gz is damaged or another file: \w"):
        load("mnist", tmp_path)


def test_a_folder_that_may_not_be_written_is_told(
    small_mnist: Files, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match=r"cannot be written: .* \(make its folder"):
        load("mnist", tmp_path / "file")


def test_a_file_that_the_system_does_not_read_is_told(
    small_mnist: Files, tmp_path: Path
) -> None:
    put(small_mnist, tmp_path)
    (tmp_path / TRAIN).unlink()
    (tmp_path / TRAIN).symlink_to("/proc/self/mem")  # of which nobody reads the start
    with pytest.raises(DataError, match=rf"{TRAIN} cannot be read: Input/output error"):
        load("mnist", tmp_path)


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    with pytest.raises(DataError, match=r"no data `minst`; there are mnist, binarised"):
        load("minst")


def test_without_filelock_one_is_told_what_to_install(
    small_mnist: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "filelock", None)
    with pytest.raises(DataError, match=r"filelock is not installed.*\[flows,scale\]"):
        load("mnist", tmp_path)
