"""Checkpoints on the disk: whole, two of them, and damaged ones told."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from implementations.scale.checkpoints import CheckpointError, load, save, state_of

CPU = torch.device("cpu")


def steps(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.glob("*.checkpoint"))


def newest(folder: Path) -> int:
    payload = load(folder)
    assert payload is not None
    return state_of(payload, CPU)["step"]


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A folder in which three checkpoints were written."""
    for step in (9, 10, 11):
        save(tmp_path, step, {"step": step, "weights": torch.arange(1000.0)})
    return tmp_path


def test_two_are_kept_and_the_newest_is_taken(three: Path) -> None:
    assert steps(three) == [10, 11]
    assert newest(three) == 11


def test_there_is_none_at_first(tmp_path: Path) -> None:
    assert load(tmp_path / "nowhere") is None


@pytest.mark.parametrize("kept", [0, 20, 70, 500, -1])
def test_of_a_cut_one_the_one_before_is_taken(
    three: Path, kept: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = three / f"{11:012d}.checkpoint"
    path.write_bytes(path.read_bytes()[:kept])
    assert newest(three) == 10
    assert f"{path}: is damaged; the one before is taken" in capsys.readouterr().err


def test_a_single_changed_bit_is_seen(three: Path) -> None:
    path = three / f"{11:012d}.checkpoint"
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)
    assert newest(three) == 10


def test_where_all_are_damaged_nothing_is_begun_anew(three: Path) -> None:
    for path in three.glob("*.checkpoint"):
        path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="none of its 2 checkpoints is whole"):
        load(three)
    assert steps(three) == [10, 11]


def test_what_was_being_written_is_removed(three: Path) -> None:
    left = three / f".{12:012d}.checkpoint.tmp"
    left.write_bytes(b"scale-1 ")
    assert newest(three) == 11
    assert not left.exists()


def test_a_damaged_one_is_not_kept_in_place_of_a_whole_one(three: Path) -> None:
    """After a resumption, the newest two are of this training again."""
    (three / f"{11:012d}.checkpoint").write_bytes(b"")
    assert newest(three) == 10
    save(three, 12, {"step": 12})
    assert (steps(three), newest(three)) == ([10, 12], 12)


def test_a_folder_that_may_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"Not a directory \(see that its folder"):
        save(tmp_path / "file" / "folder", 1, {})


def test_nothing_in_a_checkpoint_is_run(three: Path) -> None:
    import io
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (print, ("run",))

    buffer = io.BytesIO()
    torch.save({"step": Evil()}, buffer)
    with pytest.raises(pickle.UnpicklingError):
        state_of(buffer.getvalue(), CPU)
